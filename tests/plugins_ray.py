"""A Ray cluster of its own for the tests marked `ray`; registered in conftest."""

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest

CPUS = 3


def pytest_configure(config):
    # Ray Data sets options of its own that it has deprecated; only warnings from inside Ray are meant.
    config.addinivalue_line("filterwarnings", r"ignore::DeprecationWarning:ray\.")


@pytest.fixture(scope="session")
def ray_environment():
    """Own HOME and no token, so that no other cluster of this user is touched; a short path, as sockets need."""
    folder = Path(tempfile.mkdtemp(prefix="g3r"))
    repository = str(Path(__file__).parent.parent)
    paths = [repository, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("RAY_ADDRESS", raising=False)
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ray_session(ray_environment):
    """A local cluster for the rest of the session, shut down at its end."""
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(
            num_cpus=CPUS,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            dashboard_port=0,
            _temp_dir=str(ray_environment / "r"),
            object_store_memory=200 * 2**20,
            logging_level="error",
            log_to_driver=False,
        )
    yield ray
    ray.shutdown()
