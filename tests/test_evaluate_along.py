"""Measurements along a training: beside it, after it, after a kill; and what of its checkpoints stays for them."""

import json
import time
from dataclasses import replace

import pytest
import torch
from evaluation_fixture import packed_request

from g3dr.training.checkpoint import Checkpoint
from orchestrator.computing.beside import Beside
from orchestrator.computing.evaluation.steps import StepMeasurer, StepPlan
from orchestrator.computing.worker import Placement, compute_run
from orchestrator.keeping.inventory import files_of_runs
from orchestrator.keeping.needs import waiting_checkpoints
from orchestrator.ledger import Ledger, RunStatus, evaluations
from orchestrator.ledger.evaluations import MOST_WAITING, StepsRecord
from orchestrator.running.outcomes import Outcomes
from orchestrator.store import open_store

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def request_(tmp_path_factory):
    return packed_request(tmp_path_factory.mktemp("data"), "evaluation.images=4", "evaluation.meshes=0", "evaluation.views=1")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(open_store(str(tmp_path)))


@pytest.fixture
def alone(monkeypatch):
    """No process beside the training: what it would do is left to the end."""
    monkeypatch.setattr(Beside, "look", lambda self: None)


def train(request, ledger, until=None):
    working = compute_run(request, ledger.store.uri, Placement())
    for progress in working:
        if until is not None and progress.step >= until:
            working.close()
    return progress


def records(ledger, request):
    folder = f"runs/{request.spec.id}/evaluations/{request.measurement}/steps"
    return {record["step"]: record for record in (json.loads(ledger.store.read_bytes(path)) for path in ledger.store.list(folder))}


def test_every_step_that_was_asked_for_is_measured_by_the_same_names(request_, ledger, alone):
    assert request_.evaluate_every == 4
    assert train(request_, ledger).state == "finished"
    found = records(ledger, request_)
    final = ledger.evaluation(request_.spec.id, request_.measurement)
    assert list(found) == [4, 8, 12]
    assert all(record["metrics"].keys() == final["metrics"].keys() for record in found.values())
    assert found[12]["metrics"] == final["metrics"]
    assert (found[4]["images"], found[4]["views"]) == (4, 1)
    assert found[4]["seconds"] > 0
    assert found[4]["metrics"]["novel_psnr"] != found[12]["metrics"]["novel_psnr"]
    assert evaluations.read_steps(ledger.store, request_.spec.id, request_.measurement) == StepsRecord(4, True, [4, 8, 12], [])
    assert len(ledger.checkpoint_steps(request_.spec.id)) == request_.kept_checkpoints


def test_measuring_along_the_way_changes_nothing_in_the_training(request_, ledger, alone, tmp_path):
    plain = Ledger(open_store(str(tmp_path / "plain")))
    once = replace(request_, evaluate_every=None)
    assert once.spec.id == request_.spec.id
    assert once.measurement == request_.measurement
    train(once, plain)
    train(request_, ledger)
    ours, theirs = (place.latest_checkpoint(request_.spec.id) for place in (ledger, plain))
    assert all(torch.equal(ours.model[name], theirs.model[name]) for name in theirs.model)
    assert records(plain, once) == {}


def test_an_interrupted_run_measures_what_is_left_when_it_is_run_again(request_, ledger, alone):
    train(request_, ledger, until=8)
    assert records(ledger, request_) == {}
    assert ledger.checkpoint_steps(request_.spec.id) == [4, 8]
    assert Outcomes(ledger)(request_) is None
    assert train(request_, ledger).state == "finished"
    assert list(records(ledger, request_)) == [4, 8, 12]
    assert Outcomes(ledger)(request_).state == "finished"


def test_a_finished_run_that_is_asked_for_steps_measures_those_whose_checkpoints_are_there(request_, ledger, alone, caplog):
    train(replace(request_, evaluate_every=None, kept_checkpoints=1), ledger)
    assert Outcomes(ledger)(request_) is None  # until it is said what can be measured
    train(request_, ledger)
    assert list(records(ledger, request_)) == [12]
    record = evaluations.read_steps(ledger.store, request_.spec.id, request_.measurement)
    assert list(record.left_out) == [4, 8]
    assert "not measured at step 4, 8, whose checkpoints are gone" in caplog.text
    assert Outcomes(ledger)(request_).state == "finished"


def test_a_checkpoint_that_is_damaged_or_goes_away_is_left_out(request_, ledger, alone):
    train(request_, ledger, until=8)
    run = request_.spec.id
    ledger.store.write_bytes(f"{ledger.checkpoint_path(run, 4)}/model.safetensors", b"nothing")
    measurer = StepMeasurer(StepPlan(request_, ledger), torch.device("cpu"))
    measurer.measure_waiting()
    assert list(records(ledger, request_)) == [8]
    assert any("00000004" in damage.path for damage in ledger.damage(run))


def test_the_process_beside_measures_while_training_goes_on_and_ends_with_it(request_, ledger):
    run, plan = request_.spec.id, StepPlan(request_, ledger)
    plan.begin()
    train_two_checkpoints(request_, ledger)
    beside = Beside(lambda: {"root": ledger.store.uri, "request": request_.to_json(), "device": "cpu"})
    beside.look()
    process = beside._process
    deadline = time.monotonic() + 300  # it has what others leave
    while plan.measured() != [4, 8] and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    beside.end()
    assert process.poll() == 0
    assert list(records(ledger, request_)) == [4, 8]
    assert {path.rpartition("/")[2] for path in ledger.store.list(f"runs/{run}/evaluations")} == {
        "00000004.json",
        "00000008.json",
        "steps.json",
    }


def test_a_process_beside_that_has_only_begun_ends_at_once(request_, ledger):
    beside = Beside(lambda: {"root": ledger.store.uri, "request": request_.to_json(), "device": "cpu"})
    beside.look()
    process, began = beside._process, time.monotonic()
    beside.end()
    assert process.poll() == 0
    assert time.monotonic() - began < 8


def train_two_checkpoints(request, ledger):
    from g3dr.model import G3DR

    for step in (4, 8):
        model = G3DR(request.spec.model, seed=step)
        ledger.save_checkpoint(request.spec.id, Checkpoint(step, model.state_dict(), {}, request.spec.model), keep=9)


def save(ledger, step, *, keep, waiting=()):
    ledger.save_checkpoint("a" * 16, Checkpoint(step, {"weight": torch.zeros(1)}, {}), keep=keep, waiting=waiting)


def test_what_waits_for_its_measurement_outlives_the_newest(ledger):
    for step in range(1, 9):
        save(ledger, step, keep=1, waiting=[2, 5])
    assert ledger.checkpoint_steps("a" * 16) == [2, 5, 8]
    ledger.keep_newest("a" * 16, 2)
    assert ledger.checkpoint_steps("a" * 16) == [5, 8]


@pytest.mark.parametrize(
    ("state", "finished", "waiting"), [("running", False, 4), ("failed", False, 4), ("stopped", False, 0), ("running", True, 0)]
)
def test_prune_leaves_the_newest_few_that_wait_for_a_run_that_is_not_over(ledger, state, finished, waiting):
    run = "a" * 16
    for step in range(1, 9):
        save(ledger, step, keep=9)
    ledger.set_status(run, RunStatus(state, 8))
    evaluations.write_steps(ledger.store, run, "e", StepsRecord(1, finished))
    evaluations.write_step(ledger.store, run, "e", 6, {})
    found = waiting_checkpoints(ledger, files_of_runs(ledger.store))
    assert list(found) == [f"runs/{run}/checkpoints/{step:08d}" for step in (4, 5, 7, 8)][:waiting]
    assert MOST_WAITING == 4


def test_a_damaged_note_about_steps_counts_as_none(ledger):
    ledger.store.write_bytes("runs/r/evaluations/e/steps.json", b"{")
    assert evaluations.read_steps(ledger.store, "r", "e") is None
