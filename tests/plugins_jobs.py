"""The tiny study submitted with Ray's own command, results in a folder; registered in conftest."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from plugins_ray import RAY
from tiny_study import write_study

SECONDS = 500


@dataclass(frozen=True)
class PlainJob:
    """A finished `ray job submit`, what it printed, and the folder of its results."""

    id: str
    code: int
    text: str
    root: Path

    def ledger(self):
        """Returns its results."""
        from orchestrator.ledger import Ledger
        from orchestrator.store import open_store

        return Ledger(open_store(str(self.root)))


@pytest.fixture(scope="session")
def plain_job(ray_head, object_store_server, tmp_path_factory):
    """The study as a job that nobody disturbs."""
    folder = tmp_path_factory.mktemp("job")
    file, root, name = write_study(folder), folder / "root", "tiny-study"
    command = [sys.executable, "-m", "orchestrator", "run", str(file), "--root", str(root), "--yes"]
    submit = [RAY, "job", "submit", f"--address={ray_head.dashboard}", f"--submission-id={name}", "--", *command]
    environment = {**os.environ, **object_store_server.environment}
    done = subprocess.run(submit, check=False, capture_output=True, text=True, timeout=SECONDS, env=environment)
    return PlainJob(name, done.returncode, done.stdout + done.stderr, root)
