"""From an experiment to its runs: ids, what waits for what, and what fits where."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from experiment_document import DOCUMENT

from g3dr.config import ObjectiveConfig, TrainingConfig
from orchestrator.content_ids import content_id
from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.spec import Experiment
from orchestrator.planning.capacity import Capacity, Resources, concurrency, infeasible
from orchestrator.planning.plan import DatasetInfo, Deferred, InfeasibleError, Knowledge, Outcome, expand_stage, make_plan
from orchestrator.runs import DataSelection, EvaluationSpec, RunRequest, RunSpec

pytestmark = pytest.mark.unit

LAPTOP = Capacity(cpus=3, spare_cpus=1)
DATASETS = {
    "animals": DatasetInfo("root/datasets/animals", "version-a", ("bird", "fish"), {"train": 12, "test": 4}),
    "photos": DatasetInfo("root/datasets/photos", "version-p", ("cat",)),
}
KNOWN = Knowledge(DATASETS)


def experiment(*settings: str) -> Experiment:
    return check_document(apply_settings(DOCUMENT, settings), "small.yaml")


def requests(stage: str, *settings: str, knowledge: Knowledge = KNOWN) -> list[RunRequest]:
    loaded = experiment(*settings)
    expansion = expand_stage(loaded, loaded.stage(stage), knowledge)
    assert not isinstance(expansion, Deferred), expansion.reason
    return expansion


def deferred(stage: str, *settings: str, knowledge: Knowledge = KNOWN) -> Deferred:
    loaded = experiment(*settings)
    expansion = expand_stage(loaded, loaded.stage(stage), knowledge)
    assert isinstance(expansion, Deferred)
    return expansion


def ids(found: Sequence[RunRequest]) -> list[str]:
    return [request.spec.id for request in found]


def with_metrics(values: dict[str, float], state: Any = "finished") -> Knowledge:
    """Knows results by the label of the run."""
    return replace(
        KNOWN, outcome=lambda request: Outcome(state, {"depth_rmse": values[request.label]}) if request.label in values else None
    )


# ids


def test_an_id_is_stable() -> None:
    spec = RunSpec(experiment().model, ObjectiveConfig(), TrainingConfig(), DataSelection("v", "train"))
    assert spec.id == RunSpec.from_json(json.loads(json.dumps(spec.to_json()))).id
    assert len(spec.id) == 16
    assert content_id({"b": (1, 2.0), "a": None}) == content_id({"a": None, "b": [1.0, 2]}) == "ee743f2fa2570a1b"


def test_what_changes_the_result_changes_the_id_and_nothing_else_does() -> None:
    [base] = requests("pretrain")
    same = [
        "stages.pretrain.workers=4",
        "training.log_every=3",
        "training.checkpoint_every=7",
        "name=other",
        "evaluation.images=3",
        "objective.rgb.weight=1",
    ]
    other = ["training.steps=11", "seed=1", "objective.rgb.form=l2", "model.renderer.fine_samples=8", "stages.pretrain.species=[fish]"]
    assert {requests("pretrain", setting)[0].spec.id for setting in same} == {base.spec.id}
    assert len({base.spec.id, *(requests("pretrain", setting)[0].spec.id for setting in other)}) == 1 + len(other)
    assert requests("pretrain", knowledge=replace(KNOWN, compute_version="other"))[0].spec.id != base.spec.id


def test_requests_travel_as_json() -> None:
    for stage in ("pretrain", "losses", "species"):
        for request in requests(stage):
            assert RunRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_an_evaluation_has_an_id_of_its_own() -> None:
    spec = EvaluationSpec(DataSelection("v", "test"))
    assert spec.id != replace(spec, images=3).id
    assert EvaluationSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


# stages


def test_later_stages_are_known_before_earlier_ones_have_run() -> None:
    [pretrain] = requests("pretrain")
    sweep = requests("losses")
    assert [request.assignment for request in sweep] == [{"objective.rgb.form": "l1"}, {"objective.rgb.form": "cosine"}]
    assert {request.spec.initial for request in sweep} == {pretrain.spec.id}
    assert {request.initial_path for request in sweep} == {f"runs/{pretrain.spec.id}/checkpoints/00000010"}
    assert [request.spec.objective.rgb.form for request in sweep] == ["l1", "cosine"]


def test_a_grid_has_every_species_with_every_recipe() -> None:
    cells = requests("species")
    assert [(cell.species, cell.recipe) for cell in cells] == [(s, r) for s in ("bird", "fish") for r in ("pre_trained", "optimized")]
    untrained, optimized = cells[:2]
    assert untrained.spec.training.steps == 0
    assert (optimized.spec.training.freeze, optimized.spec.training.depth_importance) == ("encoder", 1.0)
    assert (optimized.spec.objective.depth.form, optimized.spec.objective.clip.form) == ("smooth_l1", "cosine")
    assert optimized.spec.objective.depth.weight == 2.0
    assert optimized.spec.data == DataSelection("version-a", "train", ("bird",))
    assert optimized.evaluation is not None
    assert optimized.evaluation.data == DataSelection("version-a", "test", ("bird",))


def test_a_recipe_of_ones_own_and_seeds() -> None:
    cells = requests("species", "stages.species.recipes={pre_trained: null, quick: {training: {steps: 3}}}", "stages.species.seeds=[0, 1]")
    assert sum(cell.recipe == "pre_trained" for cell in cells) == 2  # untrained weights are the same for every seed
    assert {(cell.species, cell.spec.seed) for cell in cells if cell.recipe == "quick"} == {
        (s, n) for s in ("bird", "fish") for n in (0, 1)
    }
    assert {cell.spec.training.steps for cell in cells if cell.recipe == "quick"} == {3}


def test_seeds_continue_from_the_run_of_their_own_seed() -> None:
    pretrained = requests("pretrain", "stages.pretrain.seeds=[0, 1]")
    cells = requests("species", "stages.pretrain.seeds=[0, 1]", "stages.species.seeds=[0, 1]", "stages.species.recipes=[optimized]")
    assert [cell.spec.initial for cell in cells] == [pretrained[0].spec.id] * 2 + [pretrained[1].spec.id] * 2


def test_an_unknown_species_is_refused_with_a_guess() -> None:
    with pytest.raises(ExperimentError, match='did you mean "fish"'):
        requests("species", "stages.species.species=[fihs]")


def test_the_best_of_a_sweep_waits_for_all_of_it() -> None:
    waiting = deferred("unseen", knowledge=with_metrics({"rgb.form=l1": 0.3}))
    assert (waiting.count, "best of losses" in waiting.reason) == (1, True)
    [evaluated] = requests("unseen", knowledge=with_metrics({"rgb.form=l1": 0.3, "rgb.form=cosine": 0.2}))
    assert evaluated.spec.id == requests("losses")[1].spec.id
    assert evaluated.evaluation is not None
    assert (evaluated.stage, evaluated.evaluation.data.version, evaluated.evaluation_data_uri) == (
        "unseen",
        "version-p",
        "root/datasets/photos",
    )
    assert evaluated.data_uri == "root/datasets/animals"


def test_a_sweep_without_a_finished_run_has_no_best() -> None:
    with pytest.raises(ExperimentError, match="one run or more with depth_rmse"):
        requests("unseen", knowledge=with_metrics({"rgb.form=l1": 0.3, "rgb.form=cosine": 0.2}, state="failed"))


def test_the_winning_settings_of_a_sweep_can_be_taken_over() -> None:
    knowledge = with_metrics({"rgb.form=l1": 0.3, "rgb.form=cosine": 0.2})
    cells = requests("species", "stages.species.settings=best of losses", "stages.species.recipes=[fine_tuned]", knowledge=knowledge)
    assert {cell.spec.objective.rgb.form for cell in cells} == {"cosine"}
    assert {cell.spec.initial for cell in cells} == {requests("pretrain")[0].spec.id}


def test_the_network_of_a_later_stage_is_that_of_its_checkpoint() -> None:
    sweep = requests("losses", "stages.pretrain.model.generator.width=24")
    assert {request.spec.model.generator.width for request in sweep} == {24}


def test_a_checkpoint_from_outside_is_identified_by_its_content() -> None:
    setting = "stages.losses.from=s3://bucket/imagenet"
    assert "has not been read" in deferred("losses", setting).reason
    sweep = requests("losses", setting, knowledge=replace(KNOWN, checkpoints={"s3://bucket/imagenet": "abc"}))
    assert {(request.spec.initial, request.initial_path) for request in sweep} == {("abc", "s3://bucket/imagenet")}


def test_optuna_is_planned_batch_by_batch() -> None:
    settings = (
        "stages.losses.search={algorithm: optuna, trials: 6, batch: 2}",
        "stages.losses.axes={training.learning_rate: {log_uniform: [1e-4, 1e-2]}}",
    )
    first = deferred("losses", *settings)
    assert (len(first.requests), first.count) == (2, 4)
    values = {request.label: 0.1 for request in first.requests}
    second = deferred("losses", *settings, knowledge=with_metrics(values))
    assert ids(second.requests)[:2] == ids(first.requests)
    assert (len(second.requests), second.count) == (4, 2)


def test_equal_runs_are_one_run() -> None:
    doubled = requests("losses", "stages.losses.axes={objective.rgb.weight: [1, 1.0, 2]}")
    assert len(doubled) == 2


# plans


def test_a_plan_before_anything_is_packed_still_counts() -> None:
    plan = make_plan(experiment(), Knowledge(), lambda _: False, LAPTOP)
    assert [stage.runs for stage in plan.stages] == [1, 2, 4, 1]
    assert [stage.steps for stage in plan.stages] == [10, 20, 20, 0]
    assert plan.stages[0].waits_for == "data set animals is not packed yet"
    assert plan.stages[0].requests == ()
    assert json.loads(json.dumps(plan.to_json()))["stages"][1]["new"] == 2


def test_a_plan_counts_what_is_finished() -> None:
    done = set(ids(requests("losses"))[:1])
    plan = make_plan(experiment(), KNOWN, lambda request: request.spec.id in done, LAPTOP)
    assert [(stage.runs, stage.finished, stage.new) for stage in plan.stages[:3]] == [(1, 0, 1), (2, 1, 1), (4, 0, 4)]
    assert len(plan.table()[0]) == len(plan.columns)


def test_workers_decide_the_executor() -> None:
    plan = make_plan(experiment(), KNOWN, lambda _: False, LAPTOP)
    assert [(stage.executor, stage.concurrency) for stage in plan.stages] == [
        ("distributed", 1),
        ("inline", 2),
        ("inline", 2),
        ("inline", 1),
    ]
    plan.check()


def test_more_workers_than_cpus_are_refused_in_one_sentence() -> None:
    plan = make_plan(experiment("stages.pretrain.workers=4"), KNOWN, lambda _: False, LAPTOP)
    with pytest.raises(
        InfeasibleError, match=r"stage pretrain asks for 4 workers, which need 4\.6 CPUs .* the cluster has 3: set stages.pretrain.workers"
    ):
        plan.check()


def test_what_is_done_needs_no_room() -> None:
    too_wide = "stages.pretrain.workers=4"
    done = set(ids(requests("pretrain", too_wide)))
    assert len(done) == 1
    make_plan(experiment(too_wide), KNOWN, lambda request: request.spec.id in done, LAPTOP).check()


@pytest.mark.parametrize(
    ("resources", "capacity", "expected"),
    [
        (Resources(1, 1), Capacity(3, spare_cpus=1), 2),
        (Resources(2, 1), Capacity(3, spare_cpus=1), 1),
        (Resources(2, 1), Capacity(2), 0),
        (Resources(1, 1), Capacity(8), 7),
        (Resources(1, 4, 1), Capacity(64, 8), 8),
        (Resources(8, 4, 1), Capacity(64, 8), 1),
        (Resources(2, 1, 1), Capacity(64, 1), 0),
        (Resources(1, 0, 0), Capacity(4), 1),
    ],
)
def test_how_many_runs_fit(resources: Resources, capacity: Capacity, expected: int) -> None:
    assert concurrency(resources, capacity) == expected
    assert (infeasible("s", resources, capacity) is None) == (expected > 0)


def test_missing_gpus_are_named() -> None:
    assert "need 2 GPUs, but the cluster has 1" in (infeasible("s", Resources(2, 1, 1), Capacity(64, 1)) or "")
