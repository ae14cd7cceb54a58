"""The same experiment, started twice at the same moment from two shells."""

import os
import re
import subprocess
import sys
from collections import Counter

import pytest
from plugins_ray import end
from tiny_study import RECIPES, SPECIES, SWEEP, summary, without_times, write_study

from orchestrator.ledger import Ledger
from orchestrator.store import open_store

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


def test_each_run_is_computed_once_and_both_end_well(tiny_ledger, ray_head, tmp_path):
    file, root = write_study(tmp_path), tmp_path / "root"
    command = [sys.executable, "-m", "orchestrator", "run", str(file), "--root", str(root), "--yes"]
    environment = {**os.environ, "RAY_ADDRESS": ray_head.address}
    shells = []
    for number in range(2):
        with (tmp_path / f"{number}.log").open("w") as log:
            shells.append(subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT))
    try:
        codes = [shell.wait(timeout=500) for shell in shells]
    finally:
        for shell in shells:
            end(shell.pid, str(tmp_path))
    texts = [(tmp_path / f"{number}.log").read_text() for number in range(2)]
    assert codes == [0, 0], "\n".join(texts)
    finished = Counter(re.findall(r"^  (.*): finished$", "".join(texts), re.MULTILINE))
    # `pretrain` is trained in the first stage and measured in the last.
    assert finished == Counter(dict.fromkeys(finished, 1) | {"pretrain": 2}), texts
    assert sum(finished.values()) == 1 + SWEEP + SPECIES * RECIPES + 1
    ledger = Ledger(open_store(str(root)))
    assert without_times(summary(ledger)) == without_times(summary(tiny_ledger))
    assert all(ledger.failures(run.split("/")[1]) == [] for run in ledger.store.list("runs"))
