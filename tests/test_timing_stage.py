"""A timing stage: what it asks for, what is refused, and that its turns are fair."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from early_stopping import SWEEP
from experiment_document import DOCUMENT
from pydantic import ValidationError
from training_fixture import MODEL, WITHOUT_NETWORKS, make_batch, make_settings

from g3dr.backbones import Backbones
from g3dr.config import LossTerm
from g3dr.model import G3DR
from g3dr.profiling import interleaved
from g3dr.profiling.interleaved import WARM_UP, TimedTraining, interleaved_seconds
from orchestrator.computing.placement import Placement
from orchestrator.computing.worker import compute_run
from orchestrator.datasets import prepare_datasets
from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.experiment.spec import parse_experiment
from orchestrator.ledger import Ledger
from orchestrator.planning.plan import DatasetInfo, Knowledge, expand_stage
from orchestrator.running.watching import Watch
from orchestrator.runs import RunRequest
from orchestrator.store import open_store

pytestmark = pytest.mark.unit
CPU = torch.device("cpu")
FORMS = {form: {"objective": {"rgb": {"form": form}}} for form in ("l1", "l2")}


def stage(**changes):
    return {"name": "times", "kind": "timing", "data": next(iter(DOCUMENT["data"])), "recipes": FORMS, **changes}


def parsed(**changes):
    return parse_experiment({**DOCUMENT, "stages": [*DOCUMENT["stages"], stage(**changes)]})


def request(**changes):
    experiment = parsed(**changes)
    knowledge = Knowledge({name: DatasetInfo(name, "v", ("a", "b")) for name in experiment.data})
    (found,) = expand_stage(experiment, experiment.stage("times"), knowledge)
    return found


def test_a_timing_is_one_request_that_trains_nothing():
    found = request(rounds=7)
    assert found.spec.training.steps == 0
    assert found.evaluation is None
    assert [recipe.name for recipe in found.timing.recipes] == ["l1", "l2"]
    assert [recipe.objective.rgb.form for recipe in found.timing.recipes] == ["l1", "l2"]
    assert all(recipe.training.steps > 0 for recipe in found.timing.recipes)
    assert found.timing.rounds == 7


def test_a_timing_travels_as_json_and_has_an_id_of_its_own():
    found = request()
    assert RunRequest.from_json(found.to_json()) == found
    assert found.measurement != request(rounds=8).measurement
    assert found.measurement != replace(found, timing=None).measurement == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipes": {"l1": {}}}, "two recipes or more"),
        ({"recipes": ["pre_trained", "fine_tuned"]}, "two recipes or more that train something"),
        ({"rounds": 3}, "6 or more"),
        ({"recipes": {"l1": {}, "l2": {"objective": {"rgb": {"form": "l3"}}}}}, "smooth_l1"),
    ],
)
def test_what_cannot_be_timed_is_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        parsed(**changes)


def training(name, **objective):
    model = G3DR(MODEL)
    model.initialize(0)
    batches = (make_batch(number) for number in range(100))
    return TimedTraining(name, model, replace(WITHOUT_NETWORKS, **objective), Backbones(), make_settings(), batches)


def test_every_recipe_is_timed_in_every_round_and_orders_change(monkeypatch):
    order = []
    known = interleaved._Racer.seconds

    def seconds(racer, kind, batch):
        order.append(racer)
        return known(racer, kind, batch)

    monkeypatch.setattr(interleaved._Racer, "seconds", seconds)
    told = []
    trainings = [training("l1"), training("l2", rgb=LossTerm("l2"))]
    found = interleaved_seconds(trainings, 6, CPU, np.random.default_rng(0), lambda done, total: told.append((done, total)))
    assert [len(column) for column in found] == [6, 6]
    assert min(min(column) for column in found) > 0
    pairs = [tuple(order[index : index + 2]) for index in range(0, len(order), 2)]
    assert all(len(set(pair)) == 2 for pair in pairs), "in each turn each of the two once"
    assert len(set(pairs)) == 2, "sometimes one is first, sometimes the other"
    assert told == [(number, 6 + WARM_UP) for number in range(6 + WARM_UP)]


def test_a_worker_times_what_was_asked_for_and_never_twice(tmp_path):
    stages = (
        "stages=[{name: times, kind: timing, data: animals, rounds: 6, recipes: {l1: {}, l2: {objective: {rgb: {form: l2}}}}}]",
        "training={steps: 12, batch_size: 4, rays_per_image: 16, log_every: 2}",
    )
    experiment = check_document(apply_settings(SWEEP, stages), "timing.yaml")
    ledger = Ledger(open_store(str(tmp_path)))
    knowledge = Knowledge(prepare_datasets(ledger.store, experiment, Watch()))
    (found,) = expand_stage(experiment, experiment.stages[0], knowledge)
    assert list(compute_run(found, ledger.store.uri, Placement()))[-1].state == "finished"
    record = ledger.evaluation(found.spec.id, found.measurement)
    assert record["kind"] == "timing"
    assert {name: len(column) for name, column in record["seconds"].items()} == {"l1": 6, "l2": 6}
    assert record["metrics"]["l2_seconds_per_step"] == pytest.approx(np.median(record["seconds"]["l2"]))
    list(compute_run(found, ledger.store.uri, Placement()))
    assert ledger.evaluation(found.spec.id, found.measurement) == record
