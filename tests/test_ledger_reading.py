"""Reading thousands of runs: side by side where the store is far, and once where a run is over."""

import threading
import time
from dataclasses import replace

import pytest

from g3dr.config import ModelConfig, ObjectiveConfig, TrainingConfig
from orchestrator.ledger import Ledger, RunStatus
from orchestrator.running.outcomes import Outcomes
from orchestrator.runs import DataSelection, EvaluationSpec, RunRequest, RunSpec
from orchestrator.store import FolderStore

pytestmark = pytest.mark.unit

DATA = DataSelection("0" * 16, "test")


class CountingStore(FolderStore):
    """Counts what is read."""

    def __init__(self, folder):
        super().__init__(folder)
        self.reads = []

    def read_bytes(self, path):
        self.reads.append(path)
        return super().read_bytes(path)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(CountingStore(tmp_path / "root"))


def request(seed, *, evaluated=True, rungs=()):
    spec = RunSpec(ModelConfig(), ObjectiveConfig(), TrainingConfig(), DATA, seed=seed)
    return RunRequest(spec, f"seed {seed}", "train", "data", evaluation=EvaluationSpec(DATA) if evaluated else None, rungs=rungs)


def finish(ledger, asked, **metrics):
    ledger.set_status(asked.spec.id, RunStatus("finished", 10, seconds_per_step=0.25))
    if asked.evaluation:
        ledger.write_evaluation(asked.spec.id, asked.evaluation.id, {"metrics": metrics}, b"")


def test_what_is_over_is_read_once(ledger):
    asked = request(1)
    finish(ledger, asked, depth_rmse=0.5)
    outcomes = Outcomes(ledger)
    assert outcomes(asked).metrics == {"depth_rmse": 0.5, "seconds_per_step": 0.25}  # speed is an objective like any other
    ledger.store.reads.clear()
    assert outcomes(asked).state == "finished"
    assert ledger.store.reads == []
    outcomes.forget(asked.spec.id)
    assert outcomes(asked).state == "finished"
    assert len(ledger.store.reads) == 2


@pytest.mark.parametrize("state", ["running", "failed", "cancelled"])
def test_what_is_not_over_is_asked_again(ledger, state):
    asked, outcomes = request(1), Outcomes(ledger)
    assert outcomes(asked) is None
    ledger.set_status(asked.spec.id, RunStatus(state, 4))
    found = outcomes(asked)
    assert (found and found.state) == (None if state == "running" else state)
    finish(ledger, asked, depth_rmse=0.5)
    assert outcomes(asked).state == "finished"


def test_a_finished_run_without_its_evaluation_is_not_over(ledger):
    asked, outcomes = request(1), Outcomes(ledger)
    ledger.set_status(asked.spec.id, RunStatus("finished", 10))
    assert outcomes(asked) is None
    assert outcomes(replace(asked, evaluation=None)).state == "finished"


def test_a_stopped_run_is_over_for_those_who_stop_there(ledger):
    asked, outcomes = request(1, rungs=(4, 8)), Outcomes(ledger)
    ledger.write_metrics(asked.spec.id, 4, [{"step": 2, "depth_rmse": 2.0}, {"step": 4, "depth_rmse": 1.0}])
    ledger.set_status(asked.spec.id, RunStatus("stopped", 4))
    assert (outcomes(asked).state, outcomes(asked).metrics["depth_rmse"]) == ("stopped", 1.0)
    assert outcomes(request(1)) is None
    assert outcomes(request(1, rungs=(8,))) is None


def test_many_are_read_before_they_are_asked_for(ledger):
    asked, outcomes = [request(seed) for seed in range(20)], Outcomes(ledger)
    for one in asked[:15]:
        finish(ledger, one, depth_rmse=float(one.spec.seed))
    outcomes.prefetch(asked)
    ledger.store.reads.clear()
    assert [outcomes(one).metrics["depth_rmse"] for one in asked[:15]] == list(range(15))
    assert ledger.store.reads == []
    assert [outcomes(one) for one in asked[15:]] == [None] * 5


def test_statuses_of_many_runs_come_in_their_order(ledger):
    for number in range(9):
        ledger.set_status(f"run{number}", RunStatus("finished", number))
    found = ledger.statuses([f"run{number}" for number in (8, 3, 3, 99, 5)])
    assert [(run, status.step) for run, status in found.items()] == [("run8", 8), ("run3", 3), ("run5", 5)]


@pytest.mark.data
def test_an_object_store_is_read_side_by_side(s3_uri, monkeypatch):
    from orchestrator.store import open_store

    ledger = Ledger(open_store(s3_uri))
    runs = [f"run{number}" for number in range(24)]
    for run in runs:
        ledger.set_status(run, RunStatus("finished"))
    read, at_once, most, lock = type(ledger.store).read_bytes, 0, 0, threading.Lock()

    def slow(store, path):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        with lock:
            at_once -= 1
        return read(store, path)

    monkeypatch.setattr(type(ledger.store), "read_bytes", slow)
    assert list(ledger.statuses(runs)) == runs
    assert most >= 8
