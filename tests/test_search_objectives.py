"""Several objectives: Pareto sets against a slow reference, and algorithms against random draws."""

import math
import statistics
from functools import cache
from typing import Any

import numpy as np
import pytest
from sweep_fixture import problems

from orchestrator.experiment.axes import parse_axis
from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.experiment.settings import Assignment
from orchestrator.search import TrialResult, pareto
from orchestrator.search.samplers import make_sampler

pytestmark = pytest.mark.unit

OBJECTIVES = [{"metric": "depth_rmse"}, {"metric": "seconds_per_step"}]


# Pareto sets


def dominates(one: tuple[float, ...], other: tuple[float, ...], modes: tuple[str, ...]) -> bool:
    no_worse = all(a <= b if mode == "min" else a >= b for a, b, mode in zip(one, other, modes, strict=True))
    return no_worse and one != other


@pytest.mark.parametrize("modes", [("min", "min"), ("min", "max"), ("max", "max"), ("max", "min", "min"), ("min",)])
def test_a_pareto_set_is_what_a_double_loop_finds(modes: tuple[str, ...]) -> None:
    generator = np.random.default_rng(len(modes))
    for _ in range(50):
        points = generator.integers(0, 6, size=(30, len(modes))).astype(float).tolist()  # with equals and ties
        results = [TrialResult(index, {}, None if index % 7 == 3 else tuple(point)) for index, point in enumerate(points)]
        known = [result for result in results if result.values is not None]
        expected = [result for result in known if not any(dominates(other.values or (), result.values or (), modes) for other in known)]
        assert pareto(results, modes) == expected
        assert expected


def test_a_pareto_set_of_nothing_is_empty() -> None:
    assert pareto([TrialResult(0, {}, None)], ["min", "max"]) == []


# algorithms


AXES = {f"x{number}": parse_axis({"uniform": [0, 1]}) for number in range(6)}
TRIALS = 80
CORNER = (1.1, 7.0)


def zdt1(assignment: Assignment) -> tuple[float, float]:
    """The first test function of Zitzler, Deb and Thiele (2000) with six variables; its front is at x1 = ... = x5 = 0."""
    first, *rest = (assignment[path] for path in AXES)
    distance = 1 + 9 * sum(rest) / len(rest)
    return first, distance * (1 - math.sqrt(first / distance))


def area(front: list[TrialResult]) -> float:
    """The area that a front dominates below `CORNER`."""
    total, height = 0.0, CORNER[1]
    for first, second in sorted(result.values for result in front if result.values is not None):
        if first < CORNER[0] and second < height:
            total += (CORNER[0] - first) * (height - second)
            height = second
    return total


@cache
def median_area(algorithm: str) -> float:
    return statistics.median(_area_of(algorithm, seed) for seed in range(5))


def _area_of(algorithm: str, seed: int) -> float:
    spec = SearchSpec.model_validate({"algorithm": algorithm, "trials": TRIALS, "seed": seed, "objectives": OBJECTIVES})
    sampler, history = make_sampler(AXES, spec), list[TrialResult]()
    for index in range(TRIALS):
        assignment = sampler.propose(index, history[: index - index % (spec.wave or TRIALS)]).assignment
        history.append(TrialResult(index, assignment, zdt1(assignment)))
    return area(pareto(history, ["min", "min"]))


@pytest.mark.parametrize("algorithm", ["optuna", "nsga2"])
def test_algorithms_find_a_better_front_than_random_draws(algorithm: str) -> None:
    assert median_area(algorithm) > median_area("random")


# the file


@pytest.mark.parametrize(
    ("search", "where", "says"),
    [
        ("objectives: [{metric: depth_rsme}]", "objectives.0.metric", 'did you mean "depth_rmse"'),
        ("objectives: [{metric: depth_rmse}], metric: novel_psnr", "metric", "nothing beside objectives"),
        ("objectives: [{metric: depth_rmse}, {metric: depth_rmse, mode: max}]", "objectives", "every metric once"),
        ("objectives: []", "objectives", "1 or more"),
        ("algorithm: nsga2, trials: 4", "algorithm", "two objectives or more"),
        ("algorithm: nsga2, trials: 4, objectives: [{metric: depth_rmse}]", "algorithm", "two objectives or more"),
        ("algorithm: nsga2, objectives: [{metric: depth_rmse}, {metric: novel_psnr}]", "trials", "1 or more"),
        ("algorithm: optuna, trials: 4, population: 3", "population", "null with algorithm optuna"),
        ("generations: 3", "generations", "null with algorithm grid"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search: str, where: str, says: str) -> None:
    found = problems(f"stages.losses.search={{{search}}}")
    assert list(found) == [f"stages.losses.search.{where}"]
    assert says in found[f"stages.losses.search.{where}"]


def test_metrics_of_views_that_do_not_exist_are_refused_in_objectives_too() -> None:
    found = problems("stages.losses.search={objectives: [{metric: depth_rmse}, {metric: novel_psnr}]}", "data.animals.procedural.views=0")
    assert "no true novel views" in found["stages.losses.search.objectives.1.metric"]


def test_the_first_objective_is_the_metric_and_survives_json() -> None:
    def check(**search: Any) -> SearchSpec:
        spec = SearchSpec.model_validate(search)
        assert SearchSpec.model_validate(spec.model_dump(mode="json")) == spec
        return spec

    several = check(objectives=[{"metric": "novel_psnr"}, {"metric": "seconds_per_step", "mode": "max"}])
    assert (several.metric, [goal.direction for goal in several.goals]) == ("novel_psnr", ["max", "max"])
    assert [(goal.metric, goal.direction) for goal in check().goals] == [("depth_rmse", "min")]
