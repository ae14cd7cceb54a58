"""What `g3dr status` says of the runs of an experiment while somebody computes it, and once nobody does."""

import json
import time

import pytest
from cli_fixture import g3dr, wait_for, write_small

from orchestrator.ledger import Ledger, RunStatus
from orchestrator.running.live import Live, LiveFile
from orchestrator.running.overview import overview
from orchestrator.running.snapshot import RunNow, Snapshot

pytestmark = pytest.mark.unit
STAGES = ("pretrain", "losses", "species")
RUNS = {"done": "finished", "broken": "failed", "begun": "running", "new": None, "last": None}


def run_id(stage, label):
    return f"{STAGES.index(stage)}{list(RUNS).index(label)}".ljust(16, "0")


@pytest.fixture
def small(tmp_path):
    """Three stages of five runs each, whose records are of their beginning: of a run that had begun, and of four that had not."""
    store = write_small(tmp_path)
    ledger = Ledger(store)
    ledger.write_experiment("small", {"name": "small", "stages": [{"name": name, "kind": "sweep"} for name in STAGES]})
    for stage in STAGES:
        entries = [{"run": run_id(stage, label), "label": label, "state": "missing", "evaluation": None} for label in RUNS]
        ledger.write_stage("small", stage, {"name": stage, "runs": entries, "best": None, "metric": None, "seconds": 3})
        for label, state in RUNS.items():
            if state is not None:
                ledger.set_status(run_id(stage, label), RunStatus(state, step=10, error="no room" if state == "failed" else None))
    return store


def compute(store, *snapshots, seconds_ago=0.0):
    """Writes what orchestrators say of themselves."""
    for pid, snapshot in enumerate(snapshots):
        live = Live("here", pid, time.time() - 60, time.time() - seconds_ago, "running", snapshot)
        store.write_bytes(f"experiments/small/live/here-{pid}.json", json.dumps(live.to_json()).encode())


def now(*running, ended=None, waiting=None, stages_done=()):
    """An orchestrator at the second stage that computes runs."""
    computed = tuple(RunNow(label, run_id("losses", label), 5, 40) for label in running)
    done = dict.fromkeys(stages_done, 1.0)
    return Snapshot("losses", "sweep", 5, ended or {}, computed, waiting=waiting or {}, stages_done=done)


def states(store):
    found = overview(store, "small", finished=True)
    assert {stage.name for stage in found.stages} == set(STAGES)
    return {(run.stage, run.label): run.state for run in found.runs}


def counts(store):
    return {stage.name: dict(stage.runs) for stage in overview(store, "small").stages}


def test_of_what_nobody_computes_the_begun_is_interrupted_and_the_rest_missing(small):
    expected = {"done": "finished", "broken": "failed", "begun": "interrupted", "new": "missing", "last": "missing"}
    assert states(small) == {(stage, label): state for stage in STAGES for label, state in expected.items()}
    assert counts(small)["losses"] == {"finished": 1, "failed": 1, "interrupted": 1, "missing": 2}


def test_nothing_is_missing_where_somebody_will_come_to_it(small):
    compute(small, now("new", ended={"finished": 1, "failed": 1}, stages_done=["pretrain"]))
    found = states(small)
    of_stages = [{label: state for (of, label), state in found.items() if of == stage} for stage in STAGES]
    assert of_stages[0] == {"done": "finished", "broken": "failed", "begun": "interrupted", "new": "missing", "last": "missing"}
    assert of_stages[1] == {"done": "finished", "broken": "failed", "begun": "waiting", "new": "running", "last": "waiting"}
    assert of_stages[2] == {"done": "finished", "broken": "failed", "begun": "waiting", "new": "waiting", "last": "waiting"}
    assert counts(small)["losses"] == {"finished": 1, "failed": 1, "running": 1, "waiting": 2}
    assert "losses sweep 1 finished, 1 failed, 1 running, 2 waiting" in g3dr("status", "small", "--root", small.uri)


def test_the_list_of_all_experiments_says_the_same(small):
    compute(small, now("new", ended={"finished": 1, "failed": 1}, stages_done=["pretrain"]))
    text = g3dr("status", "--root", small.uri)
    assert "3 of 3 3 finished, 3 failed, 1 running, 5 waiting, 1 interrupted, 2 missing, 15 in all losses on here" in text


def test_a_failed_run_that_is_tried_again_runs(small):
    compute(small, now("broken", ended={"finished": 1}))
    assert states(small)["losses", "broken"] == "running"
    (found,) = (run for run in overview(small, "small").runs if (run.stage, run.label) == ("losses", "broken"))
    assert found.error is None


def test_a_run_without_a_place_waits_although_it_is_handed_out(small):
    compute(small, now("new", "last", ended={"finished": 1}, waiting={"last": "for a place: no machine"}))
    assert counts(small)["losses"] == {"finished": 1, "running": 1, "waiting": 3}
    assert states(small)["losses", "last"] == "waiting"


def test_of_two_orchestrators_neither_calls_the_others_runs_waiting(small):
    elsewhere = {"new": "another orchestrator computes it"}
    compute(small, now("last", waiting=elsewhere), now("new", waiting={"last": "another orchestrator computes it"}))
    assert counts(small)["losses"] == {"finished": 1, "failed": 1, "running": 2, "waiting": 1}
    assert {states(small)["losses", label] for label in ("new", "last")} == {"running"}


def test_an_orchestrator_that_died_works_on_nothing(small):
    compute(small, now("new", ended={"finished": 1, "failed": 1}), seconds_ago=400)
    assert counts(small)["losses"] == {"finished": 1, "failed": 1, "interrupted": 1, "missing": 2}


def test_runs_that_were_let_go_of_are_interrupted_and_not_running(small):
    with LiveFile(small, "small", every=0.02) as live:
        live.board.stage_started("losses", "sweep", 5, 1)
        live.board.run_started("new", run_id("losses", "new"), 40)
        live.board.run_ended("new", "running", None)
        wait_for(lambda: overview(small, "small").running and counts(small)["losses"].get("interrupted"))
        assert counts(small)["losses"] == {"finished": 1, "interrupted": 1, "waiting": 3}
