"""What an experiment file may say, and what is said about one that it may not."""

import json
from copy import deepcopy
from typing import Any

import pytest
from experiment_document import DOCUMENT

from g3dr.config import LossTerm
from orchestrator.experiment.loading import check_document
from orchestrator.experiment.merging import set_path
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.schema import experiment_schema
from orchestrator.experiment.spec import Experiment, SweepStage, parse_experiment

pytestmark = pytest.mark.unit


def problems(**changes: Any) -> dict[str, str]:
    """Checks the document with changes by path (double underscores for dots); returns the problems by path."""
    document = deepcopy(DOCUMENT)
    for path, value in changes.items():
        document = set_path(document, path.replace("__", "."), value)
    try:
        check_document(document, "small.yaml")
    except ExperimentError as error:
        return {problem.path: str(problem) for problem in error.problems}
    return {}


def test_a_good_document_gives_dataclasses_and_survives_json() -> None:
    experiment = parse_experiment(DOCUMENT)
    assert experiment.model.generator.multipliers == (1, 2)
    assert isinstance(experiment.stages[1], SweepStage)
    assert parse_experiment(json.loads(json.dumps(experiment.to_json()))) == experiment


def test_a_partly_given_loss_keeps_the_rest_of_its_own_default() -> None:
    assert parse_experiment(DOCUMENT).objective.perceptual == LossTerm("l2", 0.0)


def test_all_problems_come_at_once() -> None:
    found = problems(
        training__stepz=3,
        training__batch_size=0,
        objective__rgb__form="cosin",
        stages__pretrain__data="animal",
        stages__losses__from="pretrian",
        stages__species__kind="gird",
    )
    assert found.keys() >= {
        "training.stepz",
        "training.batch_size",
        "objective.rgb.form",
        "stages.pretrain.data",
        "stages.losses.from",
        "stages.species.kind",
    }


@pytest.mark.parametrize(
    ("path", "value", "where", "says"),
    [
        ("training__stepz", 3, "training.stepz", 'did you mean "steps"?'),
        ("objective__rgb__form", "cosin", "objective.rgb.form", 'did you mean "cosine"?'),
        ("objective__rgb__form", "l7", "objective.rgb.form", "l1, l2, smooth_l1, cosine"),
        ("training__steps", -1, "training.steps", "0 or more"),
        ("training__steps", 2.5, "training.steps", "a whole number"),
        ("training__learning_rate", "fast", "training.learning_rate", "a number"),
        ("training__flip", "yes", "training.flip", "true or false"),
        ("training__batch_size", True, "training.batch_size", "a whole number"),
        ("model__generator__width", 7, "model.generator.width", "multiple of 8"),
        ("objective__tv__weight", -2, "objective.tv.weight", "0 or more"),
        ("data__animals__procedural__held_outt", 1, "data.animals.procedural.held_outt", 'did you mean "held_out"?'),
        ("data__animals__folder", {"path": "x"}, "data.animals", "exactly one of procedural, folder, dataset"),
        ("data__photos__folder__path", None, "data.photos.folder.path", "text"),
        ("stages__pretrain__data", "animal", "stages.pretrain.data", 'did you mean "animals"?'),
        ("stages__pretrain__kind", "trian", "stages.pretrain.kind", 'did you mean "train"?'),
        ("stages__pretrain__workers", 3, "stages.pretrain.workers", "divisor of training.batch_size, which is 4"),
        ("stages__pretrain__training", {"step": 3}, "stages.pretrain.training.step", 'did you mean "steps"?'),
        ("stages__pretrain__training", {"steps": -3}, "stages.pretrain.training.steps", "0 or more"),
        ("stages__losses__from", "species", "stages.losses.from", "an earlier stage: pretrain"),
        ("stages__losses__axes", {"objective.rgb.frm": ["l1"]}, "stages.losses.axes.objective.rgb.frm", 'did you mean "form"?'),
        ("stages__losses__axes", {"objective.rgb.form": ["l1", "l7"]}, "stages.losses.axes.objective.rgb.form", "got 'l7'"),
        ("stages__losses__axes", {"trainin.steps": [1]}, "stages.losses.axes.trainin.steps", 'did you mean "training"?'),
        (
            "stages__losses__axes",
            {"training.learning_rate": {"uniform": [0, 1]}},
            "stages.losses.axes.training.learning_rate",
            "more than 0",
        ),
        (
            "stages__losses__axes",
            {"training.learning_rate": {"log_uniform": [1, 0.1]}},
            "stages.losses.axes.training.learning_rate",
            "smaller first",
        ),
        ("stages__losses__search", {"algorithm": "random"}, "stages.losses.search.trials", "1 or more"),
        ("stages__losses__search", {"metric": "novel_deth_rmse"}, "stages.losses.search.metric", 'did you mean "novel_depth_rmse"?'),
        ("stages__losses__settings", "pretrain", "stages.losses.settings", "best of <sweep>"),
        ("stages__species__recipes", ["optimised"], "stages.species.recipes", "one of pre_trained, fine_tuned, optimized"),
        (
            "stages__species__recipes",
            {"mine": {"training": {"freez": 1}}},
            "stages.species.recipes.mine.training.freez",
            'did you mean "freeze"?',
        ),
        ("stages__species__model", {"generator": {"width": 32}}, "stages.species.model.generator", "no other shape"),
        ("stages__unseen__from", "losses", "stages.unseen.from", "best of losses"),
        ("stages__unseen__name", "pretrain", "stages.pretrain.name", "no other stage has"),
        ("resources__workers", 0, "resources.workers", "1 or more"),
        ("stages", [], "stages", "1 or more entries"),
        ("name", None, "name", "text"),
    ],
)
def test_a_problem_names_its_place_and_what_is_allowed(path: str, value: Any, where: str, says: str) -> None:
    found = problems(**{path: value})
    assert list(found) == [where]
    assert says in found[where]


def test_novel_metrics_need_novel_views() -> None:
    found = problems(stages__losses__search={"metric": "novel_psnr"}, stages__losses__data="photos")
    assert "photos has no true novel views" in found["stages.losses.search.metric"]


def test_a_grid_search_refuses_ranges() -> None:
    found = problems(stages__losses__axes={"training.learning_rate": {"log_uniform": [1e-4, 1e-2]}})
    assert "use random or optuna" in found["stages.losses.axes.training.learning_rate"]


def test_a_stage_of_its_own_kind_of_fault_causes_no_further_ones() -> None:
    assert list(problems(stages__pretrain__kind="trian")) == ["stages.pretrain.kind"]


@pytest.mark.parametrize("value", [None, [], {}, {1: 2}, float("nan"), 10**30, [[]], {"name": 3}, True, "best of"])
@pytest.mark.parametrize(
    "path",
    ["data", "data.animals.procedural", "stages.pretrain.data", "stages.losses.axes", "stages.species.recipes", "training.betas", "stages"],
)
def test_values_of_any_type_are_refused_not_crashed_on(path: str, value: Any) -> None:
    found = problems(**{path: value})
    assert found or value in (None, {}, [])  # which are fine for axes of no stage, recipes by default, and so on


def test_the_message_has_one_line_for_each_problem() -> None:
    document = set_path(set_path(DOCUMENT, "training.stepz", 1), "name", 3)
    with pytest.raises(ExperimentError) as caught:
        check_document(document, "small.yaml")
    assert str(caught.value).splitlines()[0] == "small.yaml: 2 problems"
    assert len(str(caught.value).splitlines()) == 3


def test_the_schema_describes_fields_by_their_docstrings() -> None:
    definitions = experiment_schema()["$defs"]
    assert (
        "Peak learning rate"
        in definitions["SettingsTraining" if "SettingsTraining" in definitions else "TrainingConfig"]["properties"]["learning_rate"][
            "description"
        ]
    )
    assert definitions["SomeTraining"]["additionalProperties"] is False
    assert set(Experiment.model_fields) <= set(experiment_schema()["properties"])
