"""Axes that exist only where others have certain values, and what a file may say about axes at all."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from sweep_fixture import MemoryLedger, problems, proposals, run, values

from orchestrator.experiment.axes import Axis, axis_to_json, parse_axis
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.experiment.settings import Assignment
from orchestrator.search import TrialResult, number_of_trials
from orchestrator.search.drawing import draw_all
from orchestrator.search.samplers import make_sampler

pytestmark = pytest.mark.unit

WEIGHT, FORM, TRIES = "objective.clip.weight", "objective.clip.form", "objective.clip_backbone"
AXES: dict[str, Axis] = {
    FORM: parse_axis({"choice": ["l1", "cosine"], "when": {WEIGHT: {"above": 0}}}),  # before what it depends on
    WEIGHT: parse_axis([0, 0.5, 1.0]),
    TRIES: parse_axis({"choice": ["a", "b"], "when": {FORM: ["cosine"], WEIGHT: [0.5]}}),
}
RANGES: dict[str, Axis] = {
    "x": parse_axis({"uniform": [0, 1]}),
    "low": parse_axis({"uniform": [0, 1], "when": {"x": {"below": 0.5}}}),
    "high": parse_axis({"integer": [1, 4], "when": {"x": {"above": 0.5}}}),
    "deep": parse_axis({"choice": ["p", "q"], "when": {"high": {"above": 1, "below": 4}}}),
}
IN_FILE = (
    "stages.losses.axes={objective.clip.weight: [0, 1], objective.clip.form: {choice: [l1, cosine], when: {objective.clip.weight: [1]}}}"
)


def is_consistent(assignment: Assignment) -> bool:
    expected = {"x", "low" if assignment["x"] < 0.5 else "high"}
    if 1 < assignment.get("high", 0) < 4:
        expected.add("deep")
    return set(assignment) == expected


def test_a_grid_has_each_combination_that_exists_once() -> None:
    spec = SearchSpec.model_validate({"algorithm": "grid"})
    found = [make_sampler(AXES, spec).propose(index, ()).assignment for index in range(number_of_trials(AXES, spec))]
    assert found == [
        {WEIGHT: 0},
        {FORM: "l1", WEIGHT: 0.5},
        {FORM: "cosine", WEIGHT: 0.5, TRIES: "a"},
        {FORM: "cosine", WEIGHT: 0.5, TRIES: "b"},
        {FORM: "l1", WEIGHT: 1.0},
        {FORM: "cosine", WEIGHT: 1.0},
    ]


def test_random_draws_only_what_exists() -> None:
    found = [draw_all(RANGES, np.random.default_rng(seed)) for seed in range(200)]
    assert all(is_consistent(assignment) for assignment in found)
    assert {len(assignment) for assignment in found} == {2, 3}


@pytest.mark.parametrize(("algorithm", "objectives"), [("optuna", 1), ("optuna", 2), ("nsga2", 2), ("population", 1)])
def test_algorithms_that_learn_propose_only_what_exists_and_the_same_again(algorithm: str, objectives: int) -> None:
    several = [{"metric": "depth_rmse"}, {"metric": "seconds_per_step"}] if objectives == 2 else None
    size = {"population": 6, "generations": 5} if algorithm == "population" else {"trials": 30, "batch": 3}
    spec = SearchSpec.model_validate({"algorithm": algorithm, "objectives": several, **size})
    sampler, history = make_sampler(RANGES, spec), list[TrialResult]()
    assert spec.wave is not None
    for index in range(30):
        assignment = sampler.propose(index, history[: index - index % spec.wave]).assignment
        assert is_consistent(assignment)
        history.append(TrialResult(index, assignment, (abs(assignment["x"] - 0.3), assignment["x"])[:objectives]))
    for index in (4, 11, 29):
        assert make_sampler(RANGES, spec).propose(index, history[: index - index % spec.wave]).assignment == history[index].assignment


def test_optuna_concentrates_on_the_better_branch() -> None:
    spec = SearchSpec.model_validate({"algorithm": "optuna", "trials": 40, "batch": 2})
    sampler, history = make_sampler(RANGES, spec), list[TrialResult]()
    for index in range(40):
        assignment = sampler.propose(index, history[: index - index % 2]).assignment
        history.append(TrialResult(index, assignment, (1 + abs(assignment["low"] - 0.7) if "low" in assignment else 3.0,)))
    assert sum("low" in trial.assignment for trial in history[20:]) >= 16


def test_an_absent_axis_keeps_the_value_of_its_stage() -> None:
    requests = run(proposals("stages.losses.objective.clip.form=l2", IN_FILE), MemoryLedger(lambda _: {}))
    assert values(requests) == [{WEIGHT: 0}, {WEIGHT: 1, FORM: "l1"}, {WEIGHT: 1, FORM: "cosine"}]
    assert [request.spec.objective.clip.form for request in requests] == ["l2", "l1", "cosine"]


@pytest.mark.parametrize(
    "axis",
    [
        [1, 2],
        {"choice": [1, 2], "when": {"a.b": [3, "x"]}},
        {"uniform": [0.0, 1.0], "when": {"a.b": {"above": 1, "below": 3.5}, "c": ["x"]}},
        {"integer": [1, 4]},
    ],
)
def test_axes_survive_json(axis: Any) -> None:
    assert axis_to_json(parse_axis(axis)) == axis


# what is refused


FORM_WHEN = "objective.rgb.form: {choice: [l1], when: {%s}}, objective.rgb.weight: [1, 2], objective.depth.form: [l1, cosine]"
WHEN = "objective.rgb.form.when."


@pytest.mark.parametrize(
    ("axes", "where", "says"),
    [
        (FORM_WHEN % "objective.rgb.wieght: [1]", f"{WHEN}objective.rgb.wieght", 'did you mean "objective.rgb.weight"'),
        (FORM_WHEN % "objective.depth.form: [cosin]", f"{WHEN}objective.depth.form", 'did you mean "cosine"'),
        (FORM_WHEN % "objective.rgb.weight: {abvoe: 1}", f"{WHEN}objective.rgb.weight", "{above: number}"),
        (FORM_WHEN % "objective.rgb.weight: {above: 2}", f"{WHEN}objective.rgb.weight", "some value of objective.rgb.weight"),
        ("objective.rgb.form: {choice: [l1], when: [1]}", "objective.rgb.form", "a mapping from other axes"),
        ("objective.rgb.form: {choice: [l1], wehn: {}}", "objective.rgb.form", "and perhaps `when`"),
        ("objective.rgb.wieght: [1, 2]", "objective.rgb.wieght", 'did you mean "weight"'),
        ("objectiv.rgb.weight: [1, 2]", "objectiv.rgb.weight", "one of model, objective, training, species, seed"),
        ("evaluation.images: [1, 2]", "evaluation.images", "one of model, objective, training, species, seed"),
        ("training.learning_rate: {uniform: [1e-4, 1e-2]}", "training.learning_rate", "use random or optuna"),
        ("species.name: [fish]", "species.name", "species has no settings"),
        ("species: [fish, 3]", "species", "names of species"),
        ("seed: [0, x]", "seed", "a whole number"),
        ("model.generator.width: [8, 16]", "model.generator.width", "the shape of the checkpoint it starts from (pretrain)"),
        ("model.generator: [{width: 8}, {features: 8}]", "model.generator", "the shape of the checkpoint it starts from (pretrain)"),
    ],
)
def test_a_faulty_axis_is_refused_at_its_place(axes: str, where: str, says: str) -> None:
    found = problems(f"stages.losses.axes={{{axes}}}")
    assert list(found) == [f"stages.losses.axes.{where}"]
    assert says in found[f"stages.losses.axes.{where}"]


def test_a_range_is_no_list_of_values_to_depend_on() -> None:
    axes = "training.learning_rate: {log_uniform: [1e-4, 1e-2]}, objective.rgb.form: {choice: [l1], when: {training.learning_rate: [1e-3]}}"
    found = problems(f"stages.losses.axes={{{axes}}}", "stages.losses.search={algorithm: random, trials: 3}")
    assert "{above: ...}" in found["stages.losses.axes.objective.rgb.form.when.training.learning_rate"]


def test_axes_that_depend_on_each_other_are_refused_at_each_of_them() -> None:
    axes = (
        "objective.rgb.weight: {choice: [1, 2], when: {objective.tv.weight: [1]}}, "
        "objective.tv.weight: {choice: [1, 2], when: {objective.depth.weight: [1]}}, "
        "objective.depth.weight: {choice: [1, 2], when: {objective.rgb.weight: [1]}}"
    )
    found = problems(f"stages.losses.axes={{{axes}}}")
    assert len(found) == 3
    assert all("does not depend on this one in turn" in sentence for sentence in found.values())


def test_all_problems_of_a_sweep_come_at_once() -> None:
    found = problems(
        "stages.losses.axes={model.generator.width: [8], objective.rgb.form: {choice: [l1, cosin], when: {seeds: [1]}}, seed: [1]}",
        "stages.losses.seeds=[1, 2]",
        "stages.losses.search={algorithm: nsga3, objectives: [{metric: depth_rsme}], early_stopping: {rule: asha, grace_steps: 99}}",
    )
    assert Counter(path.removeprefix("stages.losses.").split(".")[0] for path in found) == {"axes": 3, "seeds": 1, "search": 3}


def test_architecture_axes_work_from_random_weights() -> None:
    axes = "stages.losses.axes={model.generator.width: [8, 16], model.generator.multipliers: [[1, 2], [1, 2, 2]]}"
    requests = run(proposals(axes, "stages.losses.from=null"), MemoryLedger(lambda _: {}))
    assert [(request.spec.model.generator.width, request.spec.model.generator.multipliers) for request in requests] == [
        (8, (1, 2)),
        (8, (1, 2, 2)),
        (16, (1, 2)),
        (16, (1, 2, 2)),
    ]
    assert {request.spec.initial for request in requests} == {None}


def test_species_and_seeds_can_be_axes() -> None:
    requests = run(proposals("stages.losses.axes={species: [fish, [bird, fish], all], seed: [3, 4]}"), MemoryLedger(lambda _: {}))
    assert [(request.spec.data.species, request.spec.seed) for request in requests] == [
        (species, seed) for species in (("fish",), ("bird", "fish"), None) for seed in (3, 4)
    ]
    assert all(request.evaluation is not None and request.evaluation.data.species == request.spec.data.species for request in requests)


def test_an_unknown_species_is_refused_with_a_guess() -> None:
    with pytest.raises(ExperimentError, match=r'stages\.losses\.axes\.species: .*did you mean "fish"'):
        proposals("stages.losses.axes={species: [bird, fihs]}")
