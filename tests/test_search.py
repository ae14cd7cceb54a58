"""What algorithms propose: the same for the same seed and results, whenever and in whatever order these came."""

import math
from collections.abc import Callable
from typing import Any

import optuna
import pytest

from orchestrator.experiment.axes import Axis, parse_axis
from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.experiment.settings import Assignment
from orchestrator.search import TrialResult, best_of, label_of, number_of_trials, propose
from orchestrator.search.samplers import make_sampler

pytestmark = pytest.mark.unit

AXES: dict[str, Axis] = {
    "objective.rgb.form": parse_axis(["l1", "cosine", "l2"]),
    "training.learning_rate": parse_axis({"log_uniform": [1e-4, 1e-1]}),
    "training.batch_size": parse_axis({"integer": [1, 9]}),
    "objective.opacity": parse_axis({"uniform": [0, 1]}),
    "model.generator.multipliers": parse_axis([[1, 2], [1, 2, 4]]),
}
DISCRETE = {"a": parse_axis([1, 2]), "b": parse_axis(["x", "y", "z"])}
TWO = ({"metric": "depth_rmse"}, {"metric": "seconds_per_step"})


def search(**values: Any) -> SearchSpec:
    return SearchSpec.model_validate(values)


def values_of(spec: SearchSpec, index: int, history: list[TrialResult], axes: dict[str, Axis] = AXES) -> Assignment:
    found = propose(axes, spec, index, history)
    assert found is not None
    return found.assignment


def score(assignment: Assignment) -> float:
    return (
        abs(math.log10(assignment["training.learning_rate"]) + 2)
        + 0.1 * assignment["training.batch_size"]
        + assignment["objective.opacity"]
    )


def one(assignment: Assignment) -> tuple[float, ...] | None:
    return (score(assignment),)


def two(assignment: Assignment) -> tuple[float, ...] | None:
    return (score(assignment), assignment["training.batch_size"])


def run_all(spec: SearchSpec, evaluate: Callable[[Assignment], tuple[float, ...] | None] = one) -> list[TrialResult]:
    history: list[TrialResult] = []
    for index in range(number_of_trials(AXES, spec)):
        assignment = values_of(spec, index, history)
        history.append(TrialResult(index, assignment, evaluate(assignment)))
    return history


def test_a_grid_is_the_product_in_file_order() -> None:
    spec = search(algorithm="grid")
    trials = [values_of(spec, index, [], DISCRETE) for index in range(number_of_trials(DISCRETE, spec))]
    assert trials == [{"a": a, "b": b} for a in (1, 2) for b in "xyz"]


def test_random_depends_on_seed_and_index_alone() -> None:
    spec = search(algorithm="random", trials=20, seed=3)
    trials = [values_of(spec, index, []) for index in range(20)]
    assert trials[7] == values_of(spec, 7, [TrialResult(0, {}, (1.0,))])
    assert trials != [values_of(search(algorithm="random", trials=20, seed=4), index, []) for index in range(20)]


@pytest.mark.parametrize("algorithm", ["random", "optuna", "nsga2", "population"])
def test_values_lie_on_their_axes(algorithm: str) -> None:
    several = {"objectives": TWO} if algorithm == "nsga2" else {}
    size = {"population": 4, "generations": 3} if algorithm == "population" else {"trials": 12, "batch": 4}
    for trial in run_all(search(algorithm=algorithm, **size, **several), two if several else one):
        values = trial.assignment
        assert list(values) == list(AXES)
        assert values["objective.rgb.form"] in {"l1", "cosine", "l2"}
        assert 1e-4 <= values["training.learning_rate"] <= 1e-1
        assert values["training.batch_size"] in range(1, 10)
        assert isinstance(values["training.batch_size"], int)
        assert values["model.generator.multipliers"] in {(1, 2), (1, 2, 4)}


@pytest.mark.parametrize(
    ("algorithm", "evaluate", "objectives"),
    [("optuna", one, None), ("optuna", two, TWO), ("nsga2", two, TWO)],
    ids=["tpe", "motpe", "nsga2"],
)
def test_what_optuna_proposes_depends_on_no_order_and_no_memory(algorithm: str, evaluate: Any, objectives: Any) -> None:
    """One study that goes on, one that is made anew for every proposal, and one that heard something else before, agree."""
    spec = search(algorithm=algorithm, trials=15, batch=3, population=4 if algorithm == "nsga2" else None, objectives=objectives)
    history = run_all(spec, lambda assignment: None if assignment["training.batch_size"] == 4 else evaluate(assignment))
    going_on, misled = make_sampler(AXES, spec), make_sampler(AXES, spec)
    misled.propose(9, [TrialResult(trial.index, {}, evaluate(trial.assignment)) for trial in history[8::-1]])
    for trial in history:
        assert values_of(spec, trial.index, history[::-1]) == trial.assignment
        earlier = history[: trial.index - trial.index % 3]
        assert going_on.propose(trial.index, earlier).assignment == trial.assignment
        assert misled.propose(trial.index, earlier).assignment == trial.assignment


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
    assert run_all(spec, lambda assignment: (-score(assignment),))[-1].assignment != history[-1].assignment


def test_each_trial_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that were replayed for every proposal would ask 465 times."""
    asked: list[int] = []
    ask = optuna.Study.ask
    monkeypatch.setattr(optuna.Study, "ask", lambda study, *values: (asked.append(len(asked)), ask(study, *values))[1])
    spec = search(algorithm="optuna", trials=30, batch=2)
    sampler, history = make_sampler(AXES, spec), list[TrialResult]()
    for index in range(30):
        assignment = sampler.propose(index, history[: index - index % 2]).assignment
        history.append(TrialResult(index, assignment, one(assignment)))
    assert len(asked) == 30


def test_failed_trials_do_not_stop_a_search() -> None:
    history = run_all(search(algorithm="optuna", trials=8, batch=2), lambda _: None)
    assert len(history) == 8
    assert best_of(history, "min") is None


def test_best_takes_the_first_among_equals_and_skips_failures() -> None:
    results = [TrialResult(0, {}, None), TrialResult(1, {}, (2.0,)), TrialResult(2, {}, (1.0,)), TrialResult(3, {}, (1.0,))]
    low, high = best_of(results, "min"), best_of(results, "max")
    assert low is not None
    assert high is not None
    assert (low.index, high.index) == (2, 1)


def test_labels_are_short() -> None:
    assert label_of({"objective.rgb.form": "l1", "training.learning_rate": 0.00123456}) == "rgb.form=l1, learning_rate=0.001235"
