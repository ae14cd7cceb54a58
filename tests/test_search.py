"""What a sweep proposes: the same for the same seed and results, whenever it was interrupted."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.axes import Axis, parse_axis
from orchestrator.search import TrialResult, best_of, label_of, number_of_trials, propose
from orchestrator.settings import Assignment
from orchestrator.spec import SearchSpec

pytestmark = pytest.mark.unit

AXES: dict[str, Axis] = {
    "objective.rgb.form": parse_axis(["l1", "cosine", "l2"]),
    "training.learning_rate": parse_axis({"log_uniform": [1e-4, 1e-1]}),
    "training.batch_size": parse_axis({"integer": [1, 9]}),
    "objective.opacity": parse_axis({"uniform": [0, 1]}),
    "model.generator.multipliers": parse_axis([[1, 2], [1, 2, 4]]),
}
DISCRETE = {"a": parse_axis([1, 2]), "b": parse_axis(["x", "y", "z"])}


def search(**values: Any) -> SearchSpec:
    return SearchSpec.model_validate(values)


def score(assignment: Assignment) -> float:
    return (
        abs(math.log10(assignment["training.learning_rate"]) + 2)
        + 0.1 * assignment["training.batch_size"]
        + assignment["objective.opacity"]
    )


def run_all(spec: SearchSpec, evaluate: Callable[[Assignment], float | None] = score) -> list[TrialResult]:
    history: list[TrialResult] = []
    for index in range(number_of_trials(AXES, spec)):
        assignment = propose(AXES, spec, index, history)
        assert assignment is not None
        history.append(TrialResult(index, assignment, evaluate(assignment)))
    return history


def test_a_grid_is_the_product_in_file_order() -> None:
    spec = search(algorithm="grid")
    trials = [propose(DISCRETE, spec, index, []) for index in range(number_of_trials(DISCRETE, spec))]
    assert trials == [{"a": a, "b": b} for a in (1, 2) for b in "xyz"]


def test_random_depends_on_seed_and_index_alone() -> None:
    spec = search(algorithm="random", trials=20, seed=3)
    trials = [propose(AXES, spec, index, []) for index in range(20)]
    assert trials[7] == propose(AXES, spec, 7, [TrialResult(0, {}, 1.0)])
    assert trials != [propose(AXES, search(algorithm="random", trials=20, seed=4), index, []) for index in range(20)]


@pytest.mark.parametrize("algorithm", ["random", "optuna"])
def test_values_lie_on_their_axes(algorithm: str) -> None:
    for trial in run_all(search(algorithm=algorithm, trials=12, batch=4)):
        values = trial.assignment
        assert values["objective.rgb.form"] in {"l1", "cosine", "l2"}
        assert 1e-4 <= values["training.learning_rate"] <= 1e-1
        assert values["training.batch_size"] in range(1, 10)
        assert isinstance(values["training.batch_size"], int)
        assert values["model.generator.multipliers"] in {(1, 2), (1, 2, 4)}


def test_optuna_proposes_the_same_whatever_order_results_came_in() -> None:
    spec = search(algorithm="optuna", trials=12, batch=3)
    history = run_all(spec)
    for trial in history:
        assert propose(AXES, spec, trial.index, history[::-1]) == trial.assignment
    assert propose(AXES, spec, 7, history[:6]) == history[7].assignment  # as far as a killed search had come


def test_optuna_waits_for_the_batches_before() -> None:
    spec = search(algorithm="optuna", trials=8, batch=2)
    history = run_all(spec)
    assert propose(AXES, spec, 1, []) is not None
    assert propose(AXES, spec, 2, history[:1]) is None
    assert propose(AXES, spec, 4, [history[0], history[1], history[3]]) is None


def test_optuna_uses_results_and_beats_its_own_start() -> None:
    spec = search(algorithm="optuna", trials=24, batch=2)
    history = run_all(spec)
    late, early = history[16:], history[:8]
    assert sum(score(trial.assignment) for trial in late) / 8 < sum(score(trial.assignment) for trial in early) / 8
    assert run_all(spec, lambda assignment: -score(assignment))[-1].assignment != history[-1].assignment


def test_failed_trials_do_not_stop_a_search() -> None:
    spec = search(algorithm="optuna", trials=8, batch=2)
    history = run_all(spec, lambda assignment: None if assignment["training.batch_size"] > 4 else float("nan"))
    assert len(history) == 8
    assert best_of(history, "min") is None


def test_best_takes_the_first_among_equals_and_skips_failures() -> None:
    results = [
        TrialResult(0, {}, None),
        TrialResult(1, {}, 2.0),
        TrialResult(2, {}, 1.0),
        TrialResult(3, {}, 1.0),
        TrialResult(4, {}, float("inf")),
    ]
    low, high = best_of(results, "min"), best_of(results, "max")
    assert low is not None
    assert high is not None
    assert (low.index, high.index) == (2, 1)


def test_labels_are_short() -> None:
    assert label_of({"objective.rgb.form": "l1", "training.learning_rate": 0.00123456}) == "rgb.form=l1, learning_rate=0.001235"
