"""Retention and pruning: what goes, in which order, and what never does."""

import json
import logging
import os
import time

import pytest
import torch

from g3dr.errors import ConfigError
from g3dr.training.checkpoint import Checkpoint
from orchestrator.byte_sizes import format_bytes, parse_bytes
from orchestrator.inventory import sort_by_run
from orchestrator.ledger import Leases, Ledger, RunStatus
from orchestrator.ledger.processes import ProcessName
from orchestrator.pruning import apply_retention, prune_plan
from orchestrator.retention import Needs, retention_plan
from orchestrator.spec import parse_experiment
from orchestrator.store import Entry, open_store

pytestmark = pytest.mark.unit

MODEL_BYTES, OPTIMIZER_BYTES, INDEX_BYTES = 100, 200, 1
WHOLE = MODEL_BYTES + OPTIMIZER_BYTES + INDEX_BYTES


def files(**steps_of_runs):
    """Runs of increasing age with complete checkpoints at the given steps; a negative step is half-written."""
    found = []
    for age, (run, steps) in enumerate(steps_of_runs.items()):
        for step in steps:
            folder = f"runs/{run}/checkpoints/{abs(step):08d}"
            found.append(Entry(f"{folder}/model.safetensors", MODEL_BYTES, age))
            if step >= 0:
                found.append(Entry(f"{folder}/optimizer.safetensors", OPTIMIZER_BYTES, age))
                found.append(Entry(f"{folder}/checkpoint.json", INDEX_BYTES, age))
    return sort_by_run(found)


def paths(plan):
    return [deletion.path.removeprefix("runs/").replace("/checkpoints/0000000", " ") for deletion in plan.deletions]


def plan_of(runs, states=(), needs=None, **settings):
    return retention_plan(runs, dict(states), needs or Needs(), **{"keep": 2, "budget": None, **settings})


def test_the_newest_few_of_each_run_stay():
    plan = plan_of(files(a=(1, 2, 3, 4), b=(5,)))
    assert paths(plan) == ["a 1", "a 2"]
    assert (plan.bytes, plan.bytes_before, plan.exceeded) == (2 * WHOLE, 5 * WHOLE, 0)
    assert plan.deletions[0].reason == "older than the newest 2 of its run"


def test_half_written_ones_go_when_there_is_a_later_one():
    assert paths(plan_of(files(a=(-1, 2, -3), b=(-1,)))) == ["a 1"]


def test_optimizers_of_finished_runs_go_first_and_the_oldest_first():
    runs, states = files(old=(1, 2), new=(1, 2)), {"old": "finished", "new": "finished"}
    budget = 4 * WHOLE - OPTIMIZER_BYTES - 1
    assert paths(plan_of(runs, states, budget=budget)) == ["old 1/optimizer.safetensors", "old 2/optimizer.safetensors"]
    assert paths(plan_of(runs, states, budget=4 * WHOLE)) == []
    assert len(paths(plan_of(runs, states, optimizers=True))) == 4


@pytest.mark.parametrize("state", ["running", "stopped", "failed", "cancelled", None])
def test_optimizers_of_runs_that_may_go_on_stay(state):
    plan = plan_of(files(a=(1, 2)), {"a": state} if state else {}, budget=WHOLE, optimizers=True)
    assert paths(plan) == ["a 1"]


def test_older_checkpoints_go_next_and_the_last_never():
    runs, states = files(old=(1, 2), new=(1, 2)), {"old": "finished", "new": "running"}
    plan = plan_of(runs, states, budget=2 * WHOLE)
    assert paths(plan) == ["old 2/optimizer.safetensors", "old 1", "new 1"]
    assert plan.exceeded == 0
    plan = plan_of(runs, states, budget=10)
    assert plan.exceeded == plan.bytes_before - plan.bytes - 10 == WHOLE + MODEL_BYTES + INDEX_BYTES - 10
    assert "need 392 B more than `retention.budget` allows" in plan.complaint
    assert plan_of(runs, states, budget=10**6).complaint == ""


def test_what_is_needed_stays_with_its_reason():
    needs = Needs(
        held={"held": "process 7 on gpu-1 computes it"},
        runs={"best": "the best of study/sweep"},
        paths={"runs/named/checkpoints/00000001": "study/tune starts from it", "outside/checkpoint": "study/tune starts from it"},
    )
    runs = files(held=(1, 2, 3), best=(1, 2, 3), named=(1, 2, 3), free=(1, 2, 3))
    plan = plan_of(runs, dict.fromkeys(runs, "finished"), needs, keep=1, budget=0)
    gone = paths(plan)
    assert not [path for path in gone if path.startswith("held")]
    assert [path for path in gone if path.startswith("best")] == [f"best {step}/optimizer.safetensors" for step in (1, 2, 3)]
    assert [path for path in gone if path.startswith("named")] == [
        "named 2",
        "named 1/optimizer.safetensors",
        "named 3/optimizer.safetensors",
    ]
    assert plan.kept_because == {
        "runs/held": "process 7 on gpu-1 computes it",
        "runs/best": "the best of study/sweep",
        "runs/named/checkpoints/00000001": "study/tune starts from it",
    }


def test_a_plan_of_many_runs_takes_no_time():
    runs = files(**{f"run{number}": range(1, 9) for number in range(3000)})
    began = time.process_time()
    plan = plan_of(runs, dict.fromkeys(runs, "finished"), budget=1)
    assert time.process_time() - began < 5
    assert len(plan.deletions) == 3000 * 8
    assert plan.bytes == sum(run.checkpoint_bytes for run in runs.values()) - 3000 * (MODEL_BYTES + INDEX_BYTES)


# With a real ledger


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


def document(**retention):
    return {
        "name": "study",
        "data": {"animals": {"dataset": "datasets/animals"}},
        "stages": [{"name": "train", "kind": "train", "data": "animals"}],
        **({"retention": retention} if retention else {}),
    }


def test_an_experiment_says_what_it_keeps():
    spec = parse_experiment(document()).retention
    assert (spec.checkpoints, spec.budget_bytes) == (2, None)
    spec = parse_experiment(document(checkpoints=5, budget="1.5 GB")).retention
    assert (spec.checkpoints, spec.budget_bytes) == (5, 1_500_000_000)
    assert json.loads(json.dumps(parse_experiment(document(budget="20 GiB")).to_json()))["retention"]["budget"] == "20 GiB"


@pytest.mark.parametrize("wrong", [{"checkpoints": 0}, {"budget": "much"}, {"budget": 20}, {"budget": "-1 GB"}, {"budgets": "1 GB"}])
def test_wrong_retention_is_refused(wrong):
    with pytest.raises(ValueError, match="retention"):
        parse_experiment(document(**wrong))


@pytest.mark.parametrize(
    ("text", "count"), [("812 B", 812), ("3.4 MB", 3_400_000), ("20gb", 20 * 10**9), ("2 KiB", 2048), (" 1TB ", 10**12)]
)
def test_amounts_of_storage_are_read(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("count", [0, 999, 1000, 99_949, 99_950, 999_499, 999_500, 3_400_000, 20 * 10**9, 10**12, 5 * 10**15])
def test_amounts_of_storage_are_shown_as_they_are_read(count):
    assert parse_bytes(format_bytes(count)) == pytest.approx(count, rel=0.05)
