"""A Ray cluster of its own for the tests marked `ray`, and the tiny study run on it; registered in conftest."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

CPUS = 3
START_SECONDS = 300
RAY = Path(sys.executable).parent / "ray"


@dataclass(frozen=True)
class HeadNode:
    """A cluster of one machine: where drivers connect, and where jobs are submitted."""

    address: str
    dashboard: str


def pytest_configure(config):
    # Before anything imports ray, which reads them once. An open port would let every user of this machine run code.
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # Ray Data sets options of its own that it has deprecated; only warnings from inside Ray are meant.
    config.addinivalue_line("filterwarnings", r"ignore::DeprecationWarning:ray\.")


@pytest.fixture(scope="session")
def ray_environment():
    """Own HOME, so that no other cluster of this user is touched; a short path, as sockets need."""
    folder = Path(tempfile.mkdtemp(prefix="g3r"))
    repository = str(Path(__file__).parent.parent)
    paths = [repository, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("RAY_ADDRESS", raising=False)
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def head_node(folder: Path, environment: dict[str, str]) -> Iterator[HeadNode]:
    """Runs `ray start --head` until the block ends; ended by process id, never by `ray stop`, which ends every Ray there is."""
    from s3 import free_port

    from orchestrator.cluster.connection import PATIENCE

    gcs, dashboard = free_port(), free_port()
    options = {
        "port": gcs,
        "dashboard-port": dashboard,
        "dashboard-host": "127.0.0.1",
        "dashboard-agent-listen-port": free_port(),
        "ray-client-server-port": free_port(),
        "min-worker-port": 0,
        "max-worker-port": 0,
        "node-ip-address": "127.0.0.1",
        "temp-dir": folder,
        "num-cpus": CPUS,
        "object-store-memory": 200 * 2**20,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    # Train's cleaner of placement groups looks for "the" Ray of the machine otherwise, and dies where there are two.
    environment = {**PATIENCE, **environment, "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}"}
    # Autoscaler and dashboard would export metrics at the same two ports as those of every other cluster of the machine.
    environment |= {"AUTOSCALER_METRIC_PORT": str(free_port()), "DASHBOARD_METRIC_PORT": str(free_port())}
    with (folder.parent / "head.log").open("w") as log:
        process = subprocess.Popen(
            [RAY, "start", "--head", "--block", "--include-dashboard=true", *words], env=environment, stdout=log, stderr=log
        )
        try:
            wait_for(f"http://127.0.0.1:{dashboard}/api/version", process)
            yield HeadNode(f"127.0.0.1:{gcs}", f"http://127.0.0.1:{dashboard}")
        finally:
            end(process.pid, str(folder))
            process.wait(timeout=10)


def bearer() -> dict[str, str]:
    """The header that opens clusters of this session."""
    return {"Authorization": f"Bearer {os.environ['RAY_AUTH_TOKEN']}"}


def wait_for(url: str, process: subprocess.Popen) -> None:
    """Waits until the dashboard answers; it starts last."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, headers=bearer()), timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"no answer from {url}")


def end(pid: int, marker: str) -> None:
    """Kills a process, all its descendants, and whatever else has `marker` in its command line or environment, all at once."""
    found = _family(pid) | _marked(marker)
    while found:
        for process in found:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=10)
        found = {process for process in _marked(marker) if process.status() != psutil.STATUS_ZOMBIE}


def _family(pid: int) -> set[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return {process, *process.children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def _marked(marker: str) -> set[psutil.Process]:
    found = set()
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and (
                any(marker in word for word in process.cmdline()) or any(marker in value for value in process.environ().values())
            ):
                found.add(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="session")
def ray_head(ray_environment, object_store_server):
    """A head node whose workers know where the object store is."""
    with head_node(ray_environment / "r", {**os.environ, **object_store_server.environment}) as head:
        yield head


@pytest.fixture(scope="session")
def ray_session(ray_head):
    """Ray, connected to the head node for the rest of the session."""
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(address=ray_head.address, logging_level="error", log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="session")
def tiny_ledger(ray_session, tmp_path_factory):
    """The ledger of the tiny study, run once without disturbance."""
    from tiny_study import execution

    folder = tmp_path_factory.mktemp("tiny")
    made = execution(folder, str(folder / "root"))
    made.run()
    return made.ledger
