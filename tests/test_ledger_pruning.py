"""Pruning a real ledger: what nobody needs goes, what somebody computes or names stays, and what is left can be used."""

import logging
import os
import time

import pytest
import torch

from g3dr.errors import ConfigError
from g3dr.training.checkpoint import Checkpoint
from orchestrator.keeping.pruning import apply_retention, prune_plan
from orchestrator.ledger import Leases, Ledger, RunStatus
from orchestrator.ledger.processes import ProcessName
from orchestrator.store import open_store

pytestmark = pytest.mark.unit


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.data)])
def ledger(request, tmp_path):
    return Ledger(open_store(str(tmp_path / "root") if request.param == "folder" else request.getfixturevalue("s3_uri")))


def compute(ledger, run, *steps, state="finished", initial=None):
    ledger.write_spec(run, {"initial": initial})
    for step in steps:
        weights = {"weight": torch.full((1000,), float(step))}
        ledger.write_metrics(run, step, [{"step": step}])
        ledger.save_checkpoint(run, Checkpoint(step, weights, {"weight.exp_avg": torch.ones(2000)}), keep=9)
    ledger.set_status(run, RunStatus(state, steps[-1]))


def record(ledger, name, stages, **document):
    declared = [{"name": stage, "kind": "train", **document.pop(stage, {})} for stage in stages]
    ledger.write_experiment(name, {"name": name, "stages": declared, **document})
    for stage, (runs, best) in stages.items():
        if runs is not None:
            ledger.write_stage(name, stage, {"runs": [{"run": run, "label": run} for run in runs], "best": best})


def test_prune_deletes_what_nobody_needs_and_everything_still_works(ledger):
    compute(ledger, "one", 1, 2, 3)
    compute(ledger, "two", 1, 2, 3, state="running")
    lease = Leases(ledger.store).acquire("one")
    lease.release()
    record(ledger, "study", {"train": (["one", "two"], None)})
    before = sum(entry.size for entry in ledger.store.entries())
    plan = prune_plan(ledger, ["study"])
    assert sum(entry.size for entry in ledger.store.entries()) == before, "a plan deletes nothing"
    assert plan.apply() == plan.bytes > 0
    assert ledger.checkpoint_steps("one") == ledger.checkpoint_steps("two") == [2, 3]
    assert ledger.latest_checkpoint("one").optimizer == {}, "complete without it"
    assert ledger.latest_checkpoint("two").optimizer != {}, "can be continued"
    assert ledger.damage("one") == ledger.damage("two") == []
    assert ledger.store.list("runs/one/lease") == []
    assert prune_plan(ledger).entries == ()


def test_prune_leaves_alone_what_is_computed(ledger, caplog):
    caplog.set_level(logging.INFO)
    compute(ledger, "here", 1, 2, 3)
    compute(ledger, "later", 1, 2, 3)
    record(ledger, "study", {"train": (["here", "later"], None)})
    mine = Leases(ledger.store).acquire("here")
    plan = prune_plan(ledger)
    assert {entry.run for entry in plan.entries} == {"later"}
    assert f"process {os.getpid()} on " in plan.kept_because["runs/here"]
    Leases(ledger.store, owner=ProcessName("elsewhere", "", "", 1, 1)).acquire("later")
    assert plan.apply() == 0, "somebody has begun since"
    assert ledger.checkpoint_steps("later") == [1, 2, 3]
    mine.renew()


def test_a_checkpoint_that_another_experiment_names_stays(ledger, tmp_path):
    compute(ledger, "one", 1, 2, 3)
    compute(ledger, "two", 1, 2, 3)
    record(ledger, "study", {"train": (["one", "two"], None)})
    record(ledger, "tuning", {"tune": (None, None)}, tune={"from": "runs/one/checkpoints/00000001"})
    record(ledger, "another", {"tune": (None, None)}, tune={"from": f"{ledger.store.uri}/runs/two/checkpoints/00000001"})
    prune_plan(ledger).apply()
    assert ledger.checkpoint_steps("one") == ledger.checkpoint_steps("two") == [1, 2, 3]


def test_runs_of_no_experiment_go_only_when_asked_and_not_while_something_is_unfinished(ledger):
    for run in ("known", "lost", "parent"):
        compute(ledger, run, 1, initial="parent" if run == "known" else None)
    record(ledger, "study", {"train": (["known"], None), "later": (None, None)})
    assert not [entry for entry in prune_plan(ledger).entries if entry.kind == "run"]
    plan = prune_plan(ledger, orphans=True)
    assert not [entry for entry in plan.entries if entry.kind == "run"]
    assert "study/later was not done yet" in plan.kept_because["runs"]
    record(ledger, "study", {"train": (["known"], None)})
    plan = prune_plan(ledger, orphans=True)
    assert [entry.path for entry in plan.entries if entry.kind == "run"] == ["runs/lost"]
    assert plan.kept_because["runs/parent"] == "run known starts from it"
    plan.apply()
    assert sorted({path.split("/")[1] for path in ledger.store.list("runs")}) == ["known", "parent"]


def test_scratch_of_ended_processes_goes(tmp_path):
    ledger = Ledger(open_store(str(tmp_path / "root")))
    for name in ("old", "new"):
        ledger.store.write_bytes(f"scratch/{name}/deep/file", b"123")
    old = time.time() - 7200
    os.utime(tmp_path / "root/scratch/old/deep/file", (old, old))
    assert [(entry.path, entry.bytes) for entry in prune_plan(ledger).entries] == [("scratch/old", 3)]
    lease = Leases(ledger.store).acquire("run")
    assert prune_plan(ledger).entries == (), "it may be in use"
    lease.release()
    prune_plan(ledger).apply()
    assert ledger.store.list("scratch") == ["scratch/new/deep/file"]


def test_an_unknown_experiment_is_refused(ledger):
    record(ledger, "study", {})
    with pytest.raises(ConfigError, match=r"studdy.*did you mean \"study\""):
        prune_plan(ledger, ["studdy"])


def test_a_running_experiment_keeps_its_budget(ledger):
    compute(ledger, "one", 1, 2, 3)
    compute(ledger, "two", 1, 2, 3)
    compute(ledger, "other", 1, 2, 3)
    record(ledger, "study", {"train": (["one"], None)})
    size = sum(entry.size for entry in ledger.store.entries("runs/one/checkpoints"))
    assert apply_retention(ledger, "study", keep=9, budget=2 * size, runs=["two"]).deletions == ()
    done = apply_retention(ledger, "study", keep=9, budget=size // 2, runs=["two"], computed=["two"])
    assert done.exceeded > 0
    assert ledger.checkpoint_steps("one") == [3]
    assert ledger.checkpoint_steps("two") == ledger.checkpoint_steps("other") == [1, 2, 3]
    assert done.kept_because["runs/two"] == "this process computes it"


def test_a_budget_that_is_met_costs_one_listing_and_no_file_of_any_run(ledger, monkeypatch):
    for run in ("one", "two", "three"):
        compute(ledger, run, 1, 2)
        Leases(ledger.store).acquire(run).release()
    record(ledger, "study", {"train": (["one", "two", "three"], None)})
    asked, kind = [], type(ledger.store)
    for name in ("read_bytes", "entries"):
        call = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda store, path="", call=call: (asked.append(path), call(store, path))[1])
    assert apply_retention(ledger, "study", keep=2, budget=10**9).deletions == ()
    assert sorted(asked) == ["experiments", "experiments/study/experiment.json", "experiments/study/stages/train.json", "runs"]


def test_a_budget_leaves_alone_what_other_processes_compute(ledger):
    for run in ("one", "two"):
        compute(ledger, run, 1, 2)
    record(ledger, "study", {"train": (["one", "two"], None)})
    lease = Leases(ledger.store, owner=ProcessName("gpu-1", "", "", 7, 1)).acquire("one")
    done = apply_retention(ledger, "study", keep=2, budget=1)
    assert {deletion.run for deletion in done.deletions} == {"two"}
    assert done.kept_because["runs/one"].startswith("process 7 on gpu-1 computes it")
    assert ledger.checkpoint_steps("one") == [1, 2]
    lease.renew()


def test_an_interrupted_deletion_leaves_nothing_that_looks_complete(tmp_path, monkeypatch):
    ledger = Ledger(open_store(str(tmp_path / "root")))
    compute(ledger, "one", 1, 2, 3, 4)
    record(ledger, "study", {"train": (["one"], None)})
    plan, delete = prune_plan(ledger), type(ledger.store).delete
    for survived in range(20):
        calls = iter(range(survived))

        def dying(store, path, calls=calls):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            delete(store, path)

        with monkeypatch.context() as patch:
            patch.setattr(type(ledger.store), "delete", dying)
            try:
                plan.apply()
            except KeyboardInterrupt:
                pass
            else:
                break
        for step in ledger.checkpoint_steps("one"):
            assert ledger.read_checkpoint(ledger.checkpoint_path("one", step)).step == step
        delete(ledger.store, "runs/one/lease")  # this process lives, so its lease would
        plan = prune_plan(ledger)
    else:
        raise AssertionError("never done")
    assert ledger.checkpoint_steps("one") == [3, 4]
