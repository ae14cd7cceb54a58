"""Retention and pruning: what goes, in which order, and what never does."""

import json
import time

import pytest

from orchestrator.experiment.byte_sizes import format_bytes, parse_bytes
from orchestrator.experiment.spec import parse_experiment
from orchestrator.keeping.inventory import sort_by_run
from orchestrator.keeping.retention import Needs, retention_plan
from orchestrator.store import Entry

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
    assert "must stay need 392 B more than `retention.budget` allows" in plan.complaint
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
    runs = files(**{f"run{number}": range(1, 9) for number in range(1000)})
    began = time.process_time()
    plan = plan_of(runs, dict.fromkeys(runs, "finished"), budget=1)
    assert time.process_time() - began < 3
    assert len(plan.deletions) == 1000 * 8
    assert plan.bytes == sum(run.checkpoint_bytes for run in runs.values()) - 1000 * (MODEL_BYTES + INDEX_BYTES)


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
