"""The tiny study as a Ray job, everything in object storage: what runs on a laptop runs unchanged on a cluster."""

import os
import subprocess
import sys

import pytest
from plugins_ray import RAY
from tiny_study import summary, without_times, write_study

from orchestrator.ledger import Ledger
from orchestrator.store import open_store

pytestmark = [pytest.mark.ray, pytest.mark.jobs]
ID = "tiny-study"


@pytest.fixture(scope="module")
def job(ray_head, object_store_server, tmp_path_factory):
    """The finished `ray job submit`, and the root that it was given."""
    file, root = write_study(tmp_path_factory.mktemp("job")), f"{object_store_server.uri}/job"
    command = [sys.executable, "-m", "orchestrator", "run", str(file), "--root", root, "--yes"]
    submit = [RAY, "job", "submit", f"--address={ray_head.dashboard}", f"--submission-id={ID}", "--", *command]
    done = subprocess.run(
        submit, check=False, capture_output=True, text=True, timeout=400, env={**os.environ, **object_store_server.environment}
    )
    return done, root


def test_a_job_runs_the_study(job, ray_head):
    from ray.job_submission import JobSubmissionClient

    done, root = job
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"report: {root}/reports/tiny/index.html" in done.stdout
    assert JobSubmissionClient(ray_head.dashboard).get_job_status(ID) == "SUCCEEDED"


def test_object_storage_has_the_numbers_of_the_folder(job, s3, tiny_ledger):
    _, root = job
    stored = Ledger(open_store(root))
    assert without_times(summary(stored)) == without_times(summary(tiny_ledger))
