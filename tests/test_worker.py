"""What a worker does when a step fails, when its run is taken over, and when it is left: real trainings, without Ray."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from early_stopping import SWEEP

from g3dr.training.trainer import Trainer
from orchestrator.cluster.departures import Departures
from orchestrator.computing.claim import Claim
from orchestrator.computing.worker import Placement, compute_run
from orchestrator.datasets import prepare_datasets
from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.ledger import Leases, Ledger
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import Knowledge
from orchestrator.running.watching import Watch
from orchestrator.runs import RunRequest
from orchestrator.store import StoreAwayError, open_store

SETTINGS = (
    "stages=[{name: one, kind: train, data: animals}]",
    "training={steps: 12, batch_size: 4, rays_per_image: 16, learning_rate: 1e-3, log_every: 2, checkpoint_every: 4}",
    "evaluation={images: 2, orbit_frames: 0}",
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> tuple[str, RunRequest]:
    folder = tmp_path_factory.mktemp("worker")
    experiment = check_document(apply_settings(SWEEP, SETTINGS), "worker.yaml")
    knowledge = Knowledge(prepare_datasets(open_store(str(folder)), experiment, Watch()))
    return str(folder), expand_stage(experiment, experiment.stages[0], knowledge)[0]


@pytest.fixture
def case(packed, tmp_path) -> tuple[Ledger, RunRequest]:
    return Ledger(open_store(str(tmp_path))), packed[1]


def compute(ledger: Ledger, request: RunRequest, claim: Claim | None = None):
    return compute_run(request, ledger.store.uri, Placement(), claim)


def breaks_at(monkeypatch, step: int, error: Exception) -> None:
    """Lets the real trainer fail in one step."""
    original = Trainer.run_step

    def run_step(self, batch):
        if self.step + 1 == step:
            raise error
        return original(self, batch)

    monkeypatch.setattr(Trainer, "run_step", run_step)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_too_little_memory_fails_the_run_with_the_images_of_the_batch(case, monkeypatch, error) -> None:
    ledger, request = case
    breaks_at(monkeypatch, 6, error)
    assert list(compute(ledger, request))[-1].state == "failed"
    (failure,) = ledger.failures(request.spec.id)
    assert failure.kind == "out_of_memory"
    assert len(failure.keys) == 4
    status = ledger.status(request.spec.id)
    assert "out of memory in step 6 with images of 4 x 3 x 16 x 16" in status.error
    assert "training.accumulation" in status.error
    assert failure.keys[0] in status.error
    assert status.step == 4


def test_a_loss_that_is_not_finite_fails_the_run_with_the_images_of_its_step(case, monkeypatch) -> None:
    ledger, request = case
    original = Trainer.run_step

    def run_step(self, batch):
        terms = original(self, batch)
        keys.append(list(batch.keys))
        return {**terms, "loss": terms["loss"] * float("nan")} if self.step == 7 else terms

    keys: list[list[str]] = []
    monkeypatch.setattr(Trainer, "run_step", run_step)
    assert list(compute(ledger, request))[-1].state == "failed"
    (failure,) = ledger.failures(request.spec.id)
    assert failure.kind == "non_finite"
    assert "loss is not finite in step 7" in failure.sentence
    assert list(failure.keys) == keys[6]
    assert ledger.latest_step(request.spec.id) == 4  # not poisoned


def test_a_run_that_fails_while_a_checkpoint_is_written_stays_failed(case, monkeypatch) -> None:
    ledger, request = case
    original = Ledger.save_checkpoint

    def slowly(self, *words, **named):
        time.sleep(1.0)
        original(self, *words, **named)

    monkeypatch.setattr(Ledger, "save_checkpoint", slowly)
    breaks_at(monkeypatch, 5, MemoryError())
    assert list(compute(ledger, request))[-1].state == "failed"
    status = ledger.status(request.spec.id)
    assert (status.state, status.step) == ("failed", 4)


def test_another_error_is_a_crash_and_leaves_the_run_to_be_tried_again(case, monkeypatch) -> None:
    ledger, request = case
    breaks_at(monkeypatch, 6, RuntimeError("the device fell off the bus"))
    with pytest.raises(RuntimeError, match="bus"):
        list(compute(ledger, request))
    assert ledger.status(request.spec.id).state == "running"
    assert ledger.failures(request.spec.id) == []
    log = ledger.store.read_bytes(f"runs/{request.spec.id}/logs/0001.log").decode()
    assert "fell off the bus" in log
    monkeypatch.undo()
    assert list(compute(ledger, request, Claim(attempt=1)))[-1].state == "finished"
    assert [row["step"] for row in ledger.metrics(request.spec.id)] == [2, 4, 6, 8, 10, 12]


def test_a_store_that_stays_away_is_a_crash_too(case, monkeypatch) -> None:
    ledger, request = case
    breaks_at(monkeypatch, 6, StoreAwayError("s3://b: no answer"))
    with pytest.raises(StoreAwayError):
        list(compute(ledger, request))
    assert ledger.failures(request.spec.id) == []


def test_a_run_that_was_taken_over_is_left_and_nothing_more_of_it_written(case) -> None:
    ledger, request = case
    run, leases = request.spec.id, Leases(ledger.store)
    lease = leases.acquire(run)
    working = compute(ledger, request, Claim(lease.token))
    while next(working).step < 4:
        pass
    deadline = time.monotonic() + 30
    while ledger.status(run).step < 4 and time.monotonic() < deadline:  # it is written while training goes on
        time.sleep(0.01)
    lease.release()
    assert leases.acquire(run) is not None
    last = list(working)[-1]
    assert (last.state, last.is_left, last.to_report()["done"]) == ("running", True, True)
    assert ledger.checkpoint_steps(run) == [4]
    assert (ledger.status(run).state, ledger.status(run).step) == ("running", 4)
    assert [row["step"] for row in ledger.metrics(run)] == [2, 4]


def test_a_run_that_is_left_at_a_report_keeps_what_it_has_done(case) -> None:
    ledger, request = case
    working = compute(ledger, request)
    while next(working).step < 6:
        pass
    working.close()
    assert ledger.checkpoint_steps(request.spec.id)[-1] == 6


def test_a_run_that_was_only_not_measured_is_not_trained_again(case, monkeypatch) -> None:
    """Its optimizer's state may have been deleted to save storage."""
    ledger, request = case
    list(compute(ledger, request))
    run = request.spec.id
    ledger.record_failure(run, "input", "the extractor's weights are missing")
    ledger.store.delete(f"{ledger.checkpoint_path(run, 12)}/optimizer.safetensors")
    breaks_at(monkeypatch, 12, RuntimeError("trained again"))
    assert list(compute(ledger, request, Claim(attempt=1)))[-1].state == "finished"


def test_a_run_that_was_killed_after_its_last_checkpoint_is_finished_and_not_trained_again(case, monkeypatch) -> None:
    ledger, request = case
    list(compute(ledger, request))
    before = ledger.status(request.spec.id)
    ledger.set_status(request.spec.id, replace(before, state="running"))  # what stands there when the last checkpoint is written
    breaks_at(monkeypatch, 1, AssertionError("trained again"))
    assert [progress.state for progress in compute(ledger, request)] == ["finished"]
    assert ledger.status(request.spec.id) == before


def test_the_dataset_is_shared_and_not_written(packed, case) -> None:
    folder, request = packed
    assert Path(request.data_uri).is_relative_to(folder)
    assert case[0].store.list("datasets") == []


def test_a_machine_that_is_leaving_gives_a_checkpoint_at_the_next_report_and_changes_no_number(case, tmp_path, monkeypatch) -> None:
    ledger, request = case
    alone = Ledger(open_store(str(tmp_path / "alone")))
    list(compute(alone, request))
    monkeypatch.setattr(Departures, "urge", lambda _, step: step >= 5)
    progress = compute(ledger, request)
    while next(progress).step < 6:
        assert ledger.latest_step(request.spec.id) in (None, 4)
    for _ in range(200):
        if ledger.latest_step(request.spec.id) == 6:
            break
        time.sleep(0.05)
    assert ledger.latest_step(request.spec.id) == 6, "neither a multiple of checkpoint_every nor the last"
    progress.close()
    list(compute(ledger, request))
    assert rows(ledger, request) == rows(alone, request)


def rows(ledger: Ledger, request: RunRequest) -> list[dict]:
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in ledger.metrics(request.spec.id)]
