"""Everything killed in the middle of a sweep, then the same command again: nothing is done twice, and the numbers are the same."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from plugins_ray import end
from tiny_study import RECIPES, SPECIES, SWEEP, summary, without_times, write_study

from orchestrator.ledger import Ledger
from orchestrator.store import open_store

pytestmark = pytest.mark.ray
SECONDS = 300


@pytest.fixture
def home():
    """HOME and Ray's folder of an own cluster; a short path, as sockets need."""
    folder = Path(tempfile.mkdtemp(prefix="g3k"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(file: Path, root: Path, home: Path) -> subprocess.Popen:
    """Starts `g3dr run` as a user would, with a local cluster of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_"))}
    environment = {**kept, "HOME": str(home), "G3DR_RAY_TEMP": str(home / "r")}
    command = [sys.executable, "-m", "orchestrator", "run", str(file), "--root", str(root), "--yes"]
    with (home / "log").open("a") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def finished(root: Path) -> dict[str, bytes]:
    """Returns the status files of the finished runs by run."""
    texts = {path.parent.name: path.read_bytes() for path in root.glob("runs/*/status.json")}
    return {run: text for run, text in texts.items() if json.loads(text)["state"] == "finished"}


def test_kill_in_a_sweep_and_run_again(tiny_ledger, tmp_path, home):
    file, root = write_study(tmp_path), tmp_path / "root"
    process = start(file, root, home)
    try:
        deadline = time.monotonic() + SECONDS
        while len(finished(root)) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        end(process.pid, str(home))
        process.wait(timeout=10)
    before = finished(root)
    assert 2 <= len(before) < 1 + SWEEP, (home / "log").read_text()

    again = start(file, root, home)
    try:
        assert again.wait(timeout=SECONDS) == 0, (home / "log").read_text()
    finally:
        end(again.pid, str(home))
    after = finished(root)
    assert {run: after[run] for run in before} == before
    assert len(after) == 1 + SWEEP + SPECIES * RECIPES
    assert without_times(summary(Ledger(open_store(str(root))))) == without_times(summary(tiny_ledger))
