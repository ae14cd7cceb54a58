"""Sweeps as a queue sees them: the same runs after any kill, several seeds per trial, and the best of them."""

from dataclasses import replace
from typing import Any

import pytest
from sweep_fixture import KNOWN, MemoryLedger, experiment, proposals, run, values

from orchestrator.planning.expand import best_request, expand_stage, stage_choice
from orchestrator.planning.knowledge import Deferred, Knowledge, Outcome
from orchestrator.runs import RunRequest

pytestmark = pytest.mark.unit

AXES = "stages.losses.axes={training.learning_rate: {log_uniform: [1e-4, 1e-2]}, objective.rgb.form: [l1, cosine, l2]}"
WHEN = (
    "stages.losses.axes={training.learning_rate: {log_uniform: [1e-4, 1e-2]}, "
    "objective.rgb.form: {choice: [l1, cosine, l2], when: {training.learning_rate: {above: 1e-3}}}}"
)
OBJECTIVES = "objectives: [{metric: depth_rmse}, {metric: novel_psnr}]"
SEARCHES = {
    "grid": ("stages.losses.axes={objective.rgb.form: [l1, cosine, l2], objective.rgb.weight: [1, 1.0, 2]}",),
    "random": (AXES, "stages.losses.search={algorithm: random, trials: 9}"),
    "tpe": (AXES, "stages.losses.search={algorithm: optuna, trials: 9, batch: 2}"),
    "tpe with conditions": (WHEN, "stages.losses.search={algorithm: optuna, trials: 9, batch: 2}"),
    "tpe of several objectives": (AXES, f"stages.losses.search={{algorithm: optuna, trials: 9, batch: 2, {OBJECTIVES}}}"),
    "tpe with seeds": (AXES, "stages.losses.search={algorithm: optuna, trials: 4, batch: 2}", "stages.losses.seeds=[0, 5]"),
    "nsga2": (AXES, f"stages.losses.search={{algorithm: nsga2, trials: 10, batch: 2, population: 4, {OBJECTIVES}}}"),
    "population": (AXES, "stages.losses.search={algorithm: population, population: 3, generations: 3, quantile: 0.34}"),
}


def measure(request: RunRequest) -> dict[str, float] | None:
    """Some numbers that depend on the run alone; some runs fail."""
    number = int(request.spec.id[:4], 16)
    return None if number % 7 == 0 else {"depth_rmse": number / 65536, "novel_psnr": number % 97}


def ids(requests: list[RunRequest]) -> list[str]:
    return [request.spec.id for request in requests]


@pytest.mark.parametrize("settings", SEARCHES.values(), ids=SEARCHES.keys())
def test_a_search_killed_after_any_result_goes_on_as_if_nothing_had_been(settings: tuple[str, ...]) -> None:
    undisturbed = run(proposals(*settings), MemoryLedger(measure), at_once=1)
    assert len(undisturbed) == proposals(*settings).total
    for kill in range(len(undisturbed)):
        ledger = MemoryLedger(measure)
        before = run(proposals(*settings), ledger, computed=kill)
        after = run(proposals(*settings), ledger)
        assert ids(before) == ids(undisturbed)[: len(before)]
        assert after == undisturbed


@pytest.mark.parametrize("settings", SEARCHES.values(), ids=SEARCHES.keys())
def test_a_plan_names_the_same_runs_as_the_queue(settings: tuple[str, ...]) -> None:
    ledger, found = MemoryLedger(measure), experiment(*settings)
    requests = run(proposals(*settings), ledger)
    expansion = expand_stage(found, found.stage("losses"), replace(KNOWN, outcome=ledger.outcome))
    assert not isinstance(expansion, Deferred)
    assert ids(expansion) == list(dict.fromkeys(ids(requests)))


def test_nothing_is_asked_about_where_nothing_is_learnt() -> None:
    def outcome(_: RunRequest) -> Outcome | None:
        raise AssertionError

    found = proposals(*SEARCHES["random"])
    assert all(found.request(index, outcome) is not None for index in range(found.total))


def test_a_run_that_is_tried_again_changes_nothing_that_was_proposed() -> None:
    ledger = MemoryLedger(lambda request: None if request.index == 0 else {"depth_rmse": 0.5})
    found = proposals(*SEARCHES["tpe"])
    first = run(found, ledger)
    ledger.outcomes[first[0].spec.id] = Outcome("finished", {"depth_rmse": 0.1})
    assert [found.request(index, ledger.outcome) for index in range(found.total)] == first


def test_a_failure_that_others_were_built_upon_is_settled() -> None:
    ledger = MemoryLedger(lambda request: None if request.index == 0 else {"depth_rmse": 0.5})
    run(proposals(*SEARCHES["tpe"]), ledger, computed=2, at_once=1)
    anew = proposals(*SEARCHES["tpe"])
    assert anew.request(0, ledger.outcome) is not None
    assert not anew.is_settled(0, ledger.outcome)  # nothing that follows is over
    run(proposals(*SEARCHES["tpe"]), ledger, computed=1, at_once=1)
    later = proposals(*SEARCHES["tpe"])
    assert later.is_settled(0, ledger.outcome)
    assert not later.is_settled(8, ledger.outcome)  # the last wave
    assert not proposals(*SEARCHES["random"]).is_settled(0, ledger.outcome)


# seeds


SEEDED = ("stages.losses.seeds=[0, 1, 2]", "stages.losses.axes={objective.rgb.form: [l1, cosine]}")


def test_each_trial_is_one_run_per_seed() -> None:
    requests = run(proposals(*SEEDED), MemoryLedger(measure))
    assert [(request.assignment["objective.rgb.form"], request.spec.seed, request.index) for request in requests] == [
        (form, seed, trial) for trial, form in enumerate(("l1", "cosine")) for seed in (0, 1, 2)
    ]
    assert requests[4].label == "rgb.form=cosine, seed 1"


def test_one_seed_gives_the_runs_of_no_seeds() -> None:
    assert ids(run(proposals("stages.losses.seeds=[0]"), MemoryLedger(measure))) == ids(run(proposals(), MemoryLedger(measure)))


def test_a_seed_starts_from_the_run_of_its_own_seed() -> None:
    requests = run(proposals(*SEEDED, "stages.pretrain.seeds=[0, 1, 2]"), MemoryLedger(measure))
    assert len({request.spec.initial for request in requests}) == 3
    assert [request.spec.initial for request in requests[:3]] == [request.spec.initial for request in requests[3:]]


def known(numbers: dict[tuple[str, int], float | None]) -> Knowledge:
    def outcome(request: RunRequest) -> Outcome | None:
        value = numbers.get((str(request.assignment.get("objective.rgb.form")), request.spec.seed), 9.0)
        return Outcome("failed") if value is None else Outcome("finished", {"depth_rmse": value})

    return replace(KNOWN, outcome=outcome)


def best(knowledge: Knowledge, seed: int | None = None) -> tuple[Any, int]:
    request = best_request(experiment(*SEEDED), "losses", knowledge, seed)
    return request.assignment["objective.rgb.form"], request.spec.seed


def test_the_best_trial_has_the_best_mean_and_stands_for_it_with_its_first_seed() -> None:
    numbers = {("l1", 0): 0.1, ("l1", 1): 0.9, ("l1", 2): 0.8, ("cosine", 0): 0.5, ("cosine", 1): 0.5, ("cosine", 2): 0.4}
    assert best(known(numbers)) == ("cosine", 0)
    assert best(known(numbers), seed=2) == ("cosine", 2)
    assert best(known(numbers), seed=7) == ("cosine", 0)


def test_a_trial_with_a_failed_seed_does_not_compete() -> None:
    numbers = {("l1", 0): 0.1, ("l1", 1): None, ("l1", 2): 0.1, ("cosine", 0): 0.5, ("cosine", 1): 0.5, ("cosine", 2): 0.5}
    assert best(known(numbers)) == ("cosine", 0)


def test_optuna_learns_the_mean_over_seeds() -> None:
    settings = SEARCHES["tpe with seeds"]
    single = run(proposals(settings[0], settings[1]), MemoryLedger(lambda request: {"depth_rmse": request.spec.training.learning_rate}))
    means = run(
        proposals(*settings),
        MemoryLedger(lambda request: {"depth_rmse": request.spec.training.learning_rate + (0.5 if request.spec.seed else -0.5)}),
    )
    assert values(means)[::2] == values(means)[1::2] == values(single)


# what a stage's record says


def test_a_stage_records_its_best_and_its_pareto_set() -> None:
    numbers = {"l1": (0.2, 9.0), "cosine": (0.3, 12.0), "l2": (0.3, 10.0)}
    settings = (
        "stages.losses.axes={objective.rgb.form: [l1, cosine, l2]}",
        f"stages.losses.search={{{OBJECTIVES}}}",
    )

    def outcome(request: RunRequest) -> Outcome | None:
        depth, psnr = numbers[request.assignment["objective.rgb.form"]] if request.assignment else (0.0, 0.0)
        return Outcome("finished", {"depth_rmse": depth, "novel_psnr": psnr})

    found = experiment(*settings)
    choice = stage_choice(found, found.stage("losses"), replace(KNOWN, outcome=outcome))
    assert choice is not None
    record, requests = choice.to_json(), run(proposals(*settings), MemoryLedger(measure))
    assert record["best"] == requests[0].spec.id
    assert (record["metric"], record["mode"]) == ("depth_rmse", "min")
    assert [entry["runs"] for entry in record["pareto"]] == [[requests[0].spec.id], [requests[1].spec.id]]
    assert record["pareto"][1]["values"] == {"depth_rmse": 0.3, "novel_psnr": 12.0}
    assert record["objectives"] == [{"metric": "depth_rmse", "mode": "min"}, {"metric": "novel_psnr", "mode": "max"}]
    assert best_request(found, "losses", replace(KNOWN, outcome=outcome)).spec.id == requests[0].spec.id


def test_a_stage_with_one_objective_records_its_best_alone() -> None:
    found = experiment()
    choice = stage_choice(found, found.stage("losses"), known({("l1", 0): 0.2, ("cosine", 0): 0.1}))
    assert choice is not None
    assert choice.to_json().keys() == {"best", "metric", "mode"}
    assert stage_choice(found, found.stage("pretrain"), KNOWN) is None


def test_stopped_runs_do_not_compete() -> None:
    found = experiment()
    states = {"l1": Outcome("stopped", {"depth_rmse": 0.1}), "cosine": Outcome("finished", {"depth_rmse": 0.2})}
    knowledge = replace(KNOWN, outcome=lambda request: states.get(str(request.assignment.get("objective.rgb.form"))))
    choice = stage_choice(found, found.stage("losses"), knowledge)
    assert choice is not None
    assert choice.best is not None
    assert choice.best.requests[0].assignment == {"objective.rgb.form": "cosine"}
