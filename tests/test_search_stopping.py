"""Early stopping: decisions computed by hand, and a rule that is made anew from the ledger."""

from dataclasses import replace
from typing import Any

import pytest
from sweep_fixture import MemoryLedger, problems, proposals, run

from orchestrator.experiment.stopping_spec import EarlyStoppingSpec
from orchestrator.runs import RunRequest
from orchestrator.search import StoppingRule, history_of, should_stop

pytestmark = pytest.mark.unit


def rule(**values: Any) -> EarlyStoppingSpec:
    return EarlyStoppingSpec.model_validate({"grace_steps": 2, **values})


ASHA, MEDIAN = rule(rule="asha", reduction_factor=3), rule(rule="median")
NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "others", "mode", "stops"),
    [
        (5.0, [], "min", False),  # the first meets nobody
        (5.0, [4.0], "min", True),  # 1 place for 2 runs
        (5.0, [6.0], "min", False),
        (5.0, [5.0], "min", False),  # equals are not behind
        (5.0, [6.0], "max", True),
        (5.0, [6.0, 7.0, 8.0, 4.0], "min", True),  # 1 place for 5
        (5.0, [6.0, 7.0, 8.0, 9.0, 4.0], "min", False),  # 2 places for 6
        (5.0, [6.0, 7.0, 8.0, 3.0, 4.0], "min", True),
        (NAN, [], "min", False),
        (NAN, [1.0], "min", True),
        (NAN, [1.0], "max", True),
        (1.0, [NAN, NAN], "max", False),
    ],
)
def test_asha_lets_one_of_three_go_on(value: float, others: list[float], mode: Any, stops: bool) -> None:
    assert should_stop(ASHA, value, others, mode) is stops


@pytest.mark.parametrize(
    ("value", "others", "mode", "stops"),
    [
        (9.0, [1.0, 1.0], "min", False),  # too few to tell
        (2.0, [1.0, 2.0, 3.0], "min", False),
        (2.1, [1.0, 2.0, 3.0], "min", True),
        (1.9, [1.0, 2.0, 3.0], "max", True),
        (2.5, [1.0, 2.0, 3.0, 4.0], "min", False),
        (2.6, [1.0, 2.0, 3.0, 4.0], "min", True),
        (NAN, [1.0, 2.0, 3.0], "max", True),
        (1.0, [NAN, 1.0, 2.0], "min", False),
    ],
)
def test_median_ends_the_worse_half(value: float, others: list[float], mode: Any, stops: bool) -> None:
    assert should_stop(MEDIAN, value, others, mode) is stops


def test_median_can_be_told_how_many_others_it_needs() -> None:
    assert should_stop(rule(rule="median", least_others=1), 2.0, [1.0], "min")
    assert not should_stop(rule(rule="median", least_others=4), 9.0, [1.0, 1.0, 1.0], "min")


def test_rungs() -> None:
    assert ASHA.rungs(20) == (2, 6, 18)
    assert rule(rule="median").rungs(8) == (2, 4, 6)
    assert rule(rule="median", every=5).rungs(18) == (2, 7, 12, 17)
    assert rule().rungs(2) == ()


# the memory of a sweep


EARLY = "stages.losses.search={early_stopping: {rule: asha, grace_steps: 2, reduction_factor: 2}}"
FORMS = "stages.losses.axes={objective.rgb.form: [l1, l2, smooth_l1, cosine]}"


def requests(*settings: str) -> list[RunRequest]:
    return run(proposals(FORMS, EARLY, *settings), MemoryLedger(lambda _: {"depth_rmse": 1.0}))


def test_both_ways_to_say_asha_give_the_same_rungs_and_runs() -> None:
    old = requests("stages.losses.search={asha: {grace_steps: 2, reduction_factor: 2}}")
    assert requests() == old
    assert {request.rungs for request in old} == {(2, 4, 8)}


def test_a_rule_made_anew_from_the_ledger_decides_as_the_old_one() -> None:
    runs = requests()
    numbers = {2: [0.4, 0.3, 0.5, 0.2], 4: [0.3, 0.2, 0.1, 0.4], 8: [0.3, 0.2, 0.1, 0.15]}
    reports = [(request, step, numbers[step][place]) for step in (2, 4, 8) for place, request in enumerate(runs)]
    undisturbed = StoppingRule(ASHA.model_copy(update={"reduction_factor": 2}), "depth_rmse", "min")
    expected = [undisturbed.stops(request, step, {"depth_rmse": value}) for request, step, value in reports]
    assert expected[:4] == [False, False, True, False]
    for kill in range(len(reports)):
        rows: dict[str, list[dict[str, float]]] = {}
        for request, step, value in reports[:kill]:
            rows.setdefault(request.spec.id, []).append({"step": step, "depth_rmse": value})
        known = history_of(runs, lambda run, rows=rows: rows.get(run, []), "depth_rmse")  # type: ignore[misc]
        anew = StoppingRule(ASHA.model_copy(update={"reduction_factor": 2}), "depth_rmse", "min", known)
        assert [anew.stops(request, step, {"depth_rmse": value}) for request, step, value in reports[kill:]] == expected[kill:]


def test_a_run_that_went_on_is_not_judged_again_when_it_is_continued() -> None:
    first, *others = requests()
    rows = {first.spec.id: [{"step": 2, "depth_rmse": 0.9}, {"step": 3, "depth_rmse": 0.9}]}
    rows |= {request.spec.id: [{"step": 2, "depth_rmse": 0.1}] for request in others}
    anew = StoppingRule(ASHA, "depth_rmse", "min", history_of([first, *others], lambda run: rows[run], "depth_rmse"))
    assert not anew.stops(first, 2, {"depth_rmse": 0.9})
    assert anew.stops(first, 4, {"depth_rmse": 0.9}) is False  # the first at this rung
    assert anew.stops(replace(others[0], rungs=(2,)), 2, {"depth_rmse": 0.5})


def test_reports_between_rungs_and_without_the_metric_decide_nothing() -> None:
    first, second, *_ = requests()
    found = StoppingRule(ASHA, "depth_rmse", "min")
    assert not found.stops(first, 2, {"depth_rmse": 0.1})
    assert not found.stops(second, 3, {"depth_rmse": 9.0})
    assert not found.stops(second, 2, {"loss": 9.0})
    assert found.stops(second, 2, {"depth_rmse": 9.0})


# the file


@pytest.mark.parametrize(
    ("search", "where", "says"),
    [
        ("early_stopping: {rule: media, grace_steps: 2}", "early_stopping.rule", 'did you mean "median"'),
        ("early_stopping: {rule: median, grace_steps: 2, reduction_factor: 2}", "early_stopping.reduction_factor", "null with rule median"),
        ("early_stopping: {grace_steps: 2, every: 2}", "early_stopping.every", "null with rule asha"),
        ("early_stopping: {grace_steps: 10}", "early_stopping.grace_steps", "less than training.steps, which is 10"),
        ("early_stopping: {grace_steps: 2}, asha: {grace_steps: 2}", "asha", "null beside early_stopping"),
        ("early_stopping: {grace_steps: 2}, metric: kid", "metric", "a few images"),
        ("early_stopping: {}", "early_stopping.grace_steps", "required"),
    ],
)
def test_early_stopping_that_makes_no_sense_is_refused(search: str, where: str, says: str) -> None:
    found = problems(f"stages.losses.search={{{search}}}")
    assert list(found) == [f"stages.losses.search.{where}"]
    assert says in found[f"stages.losses.search.{where}"]
