"""SIGTERM to a `g3dr run` that computes on Ray, whose own handler would print a crash's trace and end with code 134."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from plugins_ray import end
from tiny_study import write_study

from orchestrator.ledger import Leases, Ledger
from orchestrator.store import open_store

pytestmark = pytest.mark.ray
SECONDS = 120
LONG = ["stages=[{name: pretrain, kind: train, data: animals}]", "training.steps=1000000", "training.checkpoint_every=10"]


def test_sigterm_ends_a_run_as_ctrl_c_does(ray_head, tmp_path):
    file, root, output = write_study(tmp_path), tmp_path / "root", tmp_path / "output"
    command = [sys.executable, "-m", "orchestrator", "run", str(file), "--root", str(root), "--yes"]
    words = [word for setting in LONG for word in ("--set", setting)]
    with output.open("w") as log:
        shell = subprocess.Popen([*command, *words], env={**os.environ, "RAY_ADDRESS": ray_head.address}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SECONDS
        while not list(root.glob("runs/*/checkpoints/*/checkpoint.json")):
            assert shell.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        shell.send_signal(signal.SIGTERM)
        code = shell.wait(timeout=SECONDS)
    finally:
        end(shell.pid, str(tmp_path))
    said = output.read_text()
    assert said.endswith("interrupted: run the same command again to continue where it stopped\n")
    assert "***" not in said
    assert code == 128 + signal.SIGTERM

    (live,) = root.glob("experiments/tiny/live/*.json")
    assert json.loads(live.read_text())["state"] == "interrupted"
    (run,) = root.glob("runs/*")
    store = open_store(str(root))
    assert Leases(store).acquire(run.name) is not None, "the run was given back"
    assert Ledger(store).status(run.name).state == "running"
