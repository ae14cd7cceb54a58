"""Computes one run inside a Ray worker: continue from the ledger, train, write down, evaluate.

The same generator serves both executors: an inline actor pulls it one report at a time, a Ray Train worker
runs it through. Rank 0 alone writes.
"""

import logging
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch

from g3dr.errors import BatchError, G3drError
from g3dr.training.checkpoint import Checkpoint
from g3dr.training.optimization import Optimization
from g3dr.training.trainer import Trainer
from g3dr.training.window import Window
from g3dr.types import Batch
from orchestrator.cluster.departures import Departures
from orchestrator.computing.along import AlongTraining
from orchestrator.computing.batches import batches_from
from orchestrator.computing.building import make_trainer
from orchestrator.computing.claim import Claim
from orchestrator.computing.evaluate import evaluate_run
from orchestrator.computing.failure_kinds import failure_kind
from orchestrator.computing.fetching import fetch_weights
from orchestrator.computing.memory import is_memory_error, memory_error
from orchestrator.computing.networks import measure_network
from orchestrator.computing.placement import Placement
from orchestrator.computing.probing import Probe
from orchestrator.computing.progress import Progress
from orchestrator.computing.saving import CheckpointSaver
from orchestrator.computing.timing import time_run
from orchestrator.ledger import LeaseLostError, Ledger, RunState, RunStatus
from orchestrator.planning.timings import RunTimer
from orchestrator.runs import RunRequest
from orchestrator.store import StoreAwayError, open_store
from orchestrator.tracking import RunOutputs

__all__ = ["Claim", "Placement", "Progress", "RunInProgress", "compute_run"]

logger = logging.getLogger(__name__)


def compute_run(request: RunRequest, root: str, placement: Placement, claim: Claim | None = None) -> Iterator[Progress]:
    """Computes what is missing of a run; the last report has the state `finished` or `failed`, or says that the run is left to another.

    A fault of the input (a G3drError) fails the run with its sentence and is not tried again; anything else is a crash, after
    which the run is continued from its last checkpoint. So is a store that stays away.
    """
    torch.set_num_threads(max(1, int(placement.cpus)))
    ledger, claim = Ledger(open_store(root)), claim or Claim()
    along = AlongTraining(request, ledger, lambda: placement.torch_device(request.device), placement.rank)
    with (
        RunOutputs(ledger, request, claim.attempt + 1, placement.rank) as outputs,
        along,
        CheckpointSaver() as saver,
        Departures() as leaving,
    ):
        run = RunInProgress(request, ledger, placement, claim, outputs=outputs, saver=saver, along=along, leaving=leaving)
        try:
            fetch_weights()
            yield from run.train()
            yield run.finish()
        except LeaseLostError as error:
            logger.warning("%s", error)
            yield replace(run.progress("running"), is_left=True)
        except StoreAwayError:
            raise
        except G3drError as error:
            run.fail(error)
            yield replace(run.progress("failed", error=str(error)), kind=failure_kind(error))


class RunInProgress:
    """A run between its start and its end; see `compute_run`."""

    def __init__(
        self,
        request: RunRequest,
        ledger: Ledger,
        placement: Placement,
        claim: Claim,
        *,
        outputs: RunOutputs,
        saver: CheckpointSaver,
        along: AlongTraining,
        leaving: Departures,
    ) -> None:
        self.request, self.ledger, self.placement, self.claim = request, ledger, placement, claim
        self.outputs, self._saver, self._along, self._leaving = outputs, saver, along, leaving
        self.run, self.settings = request.spec.id, request.spec.training
        self._step, self._advance, self._seconds, self._paces = 0, 0, 0.0, list[float]()
        self._rows: list[dict[str, float]] = []
        self._has_started, self._timer = False, RunTimer(request)

    @cached_property
    def device(self) -> torch.device:
        """Where the run computes."""
        return self.placement.torch_device(self.request.device)

    @cached_property
    def _probe(self) -> Probe:
        return Probe(self.request, self.device, self.ledger.store)

    def train(self) -> Iterator[Progress]:
        """Trains from the newest checkpoint to the last step; yields every `log_every` steps, at checkpoints and at rungs."""
        if self._is_trained():
            self._record_trained()
            return
        trainer = make_trainer(self.request, self.ledger.store, self.placement, self.device)
        self._start(trainer)
        yield from self._passed_rungs()
        window, since, started = Window(), trainer.step, time.perf_counter()
        batches = batches_from(self.request, self.placement, trainer.step)
        while trainer.step < self.settings.steps:
            self._train_step(trainer, next(batches), window)
            if not self._reports(trainer.step):
                continue
            averages, seconds = window.close(trainer.step), time.perf_counter() - started
            metrics = {**averages, **self._probed(trainer)}
            self._log(trainer.step, metrics, steps=trainer.step - since, seconds=seconds)
            if self._saves(trainer.step) or self._leaving.urge(trainer.step):
                self._checkpoint(trainer.checkpoint())
                self._finish_writing(trainer.step)
            since, started = trainer.step, time.perf_counter()
            yield from self._report(trainer, metrics)
        if self.settings.steps == 0:
            self._checkpoint(trainer.checkpoint())
        self._saver.wait()
        self.record("finished")

    def _report(self, trainer: Optimization, metrics: Mapping[str, float]) -> Iterator[Progress]:
        """Reports; if nobody asks on, what was done since the last checkpoint is kept."""
        try:
            yield replace(self.progress("running", metrics), advance=self._advance)
        except GeneratorExit:
            with suppress(G3drError):  # taken over, or the store is away: then the last checkpoint has to do
                self._checkpoint_if_newer(trainer)
            raise

    def _checkpoint_if_newer(self, trainer: Optimization) -> None:
        if self._rows:
            self._checkpoint(trainer.checkpoint())
        self._saver.wait()

    @staticmethod
    def _train_step(trainer: Optimization, batch: Batch, window: Window) -> None:
        try:
            window.add(trainer.run_step(batch), trainer.step, batch.keys)
        except (RuntimeError, MemoryError) as error:
            if not is_memory_error(error):
                raise
            raise memory_error(error, trainer.step + 1, batch) from error

    def finish(self) -> Progress:
        """Evaluates if that is asked for and not done yet, and returns the last report."""
        request, metrics, record = self.request, dict[str, float](), None
        if request.measurement and self.placement.rank == 0:
            known = self.ledger.evaluation(self.run, request.measurement)
            record = self._measure() if known is None else None
            metrics = (record or known or {})["metrics"]
            self._along.finish(record or known or {}, self.claim.token)
        if self.placement.rank == 0:
            self._timer.write(self.ledger.store, measured=record is not None)
        self._step = self.settings.steps
        self.outputs.scalars(self._step, metrics, "evaluation")
        self.outputs.ended("finished")
        return self.progress("finished", metrics)

    def _measure(self) -> dict[str, Any]:
        if self.request.timing is not None:
            return time_run(self.request, self.request.timing, self.ledger, self.device)
        if self.request.spec.network is not None:
            return measure_network(self.request, self.request.spec.network, self.ledger, self.device)
        return evaluate_run(self.request, self.ledger, self.device)

    def progress(self, state: RunState, metrics: Mapping[str, float] | None = None, error: str | None = None) -> Progress:
        """Returns a report of where the run is."""
        return Progress(self.request.label, self.run, state, self._step, self.settings.steps, metrics or {}, error)

    def fail(self, error: G3drError) -> None:
        """Writes down that the run failed, why, and at which images; it is not tried again by itself."""
        with suppress(G3drError, OSError):  # a checkpoint that is still being written would say `running` after this
            self._saver.wait()
        self.outputs.ended("failed", str(error))
        if self.placement.rank == 0 and not (self._has_started and self._is_stopped()):
            keys = error.keys if isinstance(error, BatchError) else ()
            with suppress(LeaseLostError):  # whoever took the run over will find out for themselves
                self.ledger.record_failure(self.run, failure_kind(error), str(error), keys=keys, token=self.claim.token)

    def record(self, state: RunState) -> None:
        """Writes the status to the ledger, unless the driver has stopped the run in the meantime.

        Workers of a distributed run train on until Tune ends them; what they find out then changes nothing any more.
        """
        if self.placement.rank == 0 and not (self._has_started and self._is_stopped()):
            self._write_status(state)

    def _write_status(self, state: RunState) -> None:
        self.ledger.set_status(self.run, self._status(state), self.claim.token)

    def _status(self, state: RunState) -> RunStatus:
        pace = statistics.median(self._paces) if self._paces else 0.0
        return RunStatus(state, self._step, self._seconds, pace, attempts=self.claim.attempt)

    def _is_stopped(self) -> bool:
        status = self.ledger.status(self.run)
        return status is not None and status.state in ("stopped", "cancelled")

    def _is_trained(self) -> bool:
        """Tells whether only the evaluation is missing; a run that another sweep stopped is continued for whoever asks for it here.

        A run that was trained to its end and failed to be measured may have lost its optimizer's state by now, and needs none.
        """
        status = self.ledger.status(self.run)
        if status is None or status.state == "finished":
            return status is not None
        steps = self.settings.steps
        return steps > 0 and status.step == steps and self.ledger.latest_step(self.run) == steps

    def _record_trained(self) -> None:
        """Writes down what whoever wrote the last checkpoint may have been killed before writing."""
        status = self.ledger.status(self.run)
        if self.placement.rank == 0 and status is not None and status.state != "finished":
            self.ledger.set_status(self.run, replace(status, state="finished", error=None), self.claim.token)

    def _start(self, trainer: Optimization) -> None:
        """Continues from the newest checkpoint, if there is one."""
        checkpoint = self.ledger.resume(self.run, drop=self.placement.rank == 0)
        if checkpoint is not None:
            trainer.restore(checkpoint, f"run {self.run}")
            self.outputs.resumed(trainer.step)
            before = self.ledger.status(self.run)
            self._seconds = before.seconds if before else 0.0
        self._step, self._has_started = trainer.step, True
        if self.placement.rank == 0:
            self.ledger.write_spec(self.run, self.request.spec.to_json())
            self._write_status("running")
            self._along.begin()

    def _passed_rungs(self) -> Iterator[Progress]:
        """Reports again what the run had at its rungs before it was interrupted: the last of them may not have been judged yet."""
        for row in self.ledger.metrics(self.run) if self.request.rungs else ():
            step = int(row["step"])
            if step in self.request.rungs and step <= self._step:
                metrics = {name: value for name, value in row.items() if name != "step"}
                yield replace(self.progress("running", metrics), step=step)

    def _reports(self, step: int) -> bool:
        return step % self.request.log_every == 0 or self._saves(step)

    def _saves(self, step: int) -> bool:
        last, rungs = self.settings.steps, self.request.rungs
        return step % self.request.checkpoint_every == 0 or step == last or step in rungs or self._along.is_due(step)

    def _probed(self, trainer: Optimization) -> Mapping[str, float]:
        """Measures the model at a rung, outside of the time that training is charged for."""
        if self.placement.rank != 0 or trainer.step not in self.request.rungs or not isinstance(trainer, Trainer):
            return {}
        return self._probe.measure(trainer.model)

    def _log(self, step: int, averages: Mapping[str, float], *, steps: int, seconds: float) -> None:
        self._step, self._advance = step, steps
        self._seconds += seconds
        self._paces.append(seconds / max(1, steps))
        self._timer.add(steps, seconds)
        self._rows.append({"step": step, **averages, "seconds_per_step": self._paces[-1]})
        self.outputs.scalars(step, self._rows[-1])

    def _checkpoint(self, checkpoint: Checkpoint) -> None:
        """Has metrics written first, the checkpoint second, the status last: what a reader finds is never ahead of the checkpoint."""
        if self.placement.rank != 0:
            return
        rows, self._rows, status = self._rows, [], replace(self._status("running"), step=checkpoint.step)

        def write(copy: Checkpoint) -> None:
            self.ledger.write_metrics(self.run, copy.step, rows, self.claim.token)
            keep, waiting = self.request.kept_checkpoints, self._along.waiting()
            self.ledger.save_checkpoint(self.run, copy, keep=keep, waiting=waiting, token=self.claim.token)
            if not self._is_stopped():
                self.ledger.set_status(self.run, status, self.claim.token)
            self.outputs.checkpoint(copy.step)
            self._along.saved(copy.step)

        self._saver.save(checkpoint, write)

    def _finish_writing(self, step: int) -> None:
        """Whoever hears of a rung may end the run there: its checkpoint has to be there first."""
        if step in self.request.rungs:
            self._saver.wait()
