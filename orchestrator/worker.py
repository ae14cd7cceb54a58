"""Computes one run inside a Ray worker: continue from the ledger, train, write down, evaluate.

The same generator serves both executors: an inline actor pulls it one report at a time, a Ray Train worker
runs it through. Rank 0 alone writes.
"""

import logging
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from g3dr.backbones import load_backbones
from g3dr.config import DeviceChoice
from g3dr.errors import ConfigError, G3drError
from g3dr.losses import FeatureStore, Objective
from g3dr.losses.targets import looks_at_images
from g3dr.model import CONDITIONING_PREFIXES, G3DR
from g3dr.training.checkpoint import Checkpoint, load_model
from g3dr.training.devices import choose_device
from g3dr.training.trainer import Trainer
from g3dr.training.window import Window
from orchestrator.checkpoints import read_initial
from orchestrator.evaluate import evaluate_run
from orchestrator.fetching import fetch_weights
from orchestrator.ledger import Ledger, RunState, RunStatus
from orchestrator.probing import Probe
from orchestrator.runs import RunRequest
from orchestrator.shards.streaming import stream
from orchestrator.store import open_store

logger = logging.getLogger(__name__)


def _unchanged(module: nn.Module) -> nn.Module:
    return module


@dataclass(frozen=True)
class Placement:
    """Where a worker stands.

    Attributes:
        rank: Number of the worker.
        world_size: Workers that share the run.
        cpus: CPU threads it may use.
        gpus: GPUs it has.
        device: Where Ray Train wants it to compute; empty where it has no say.
        wrap: Makes a module distributed.
    """

    rank: int = 0
    world_size: int = 1
    cpus: float = 1
    gpus: float = 0
    device: str = ""
    wrap: Callable[[nn.Module], nn.Module] = _unchanged

    def torch_device(self, choice: DeviceChoice = "auto") -> torch.device:
        """Returns the device to compute on.

        Raises:
            ConfigError: It is not there, or Ray Train has put this worker elsewhere.
        """
        if not self.device:
            return choose_device(choice, float(self.gpus))
        given = torch.device(self.device)
        if choice not in ("auto", given.type):
            raise ConfigError("resources.device", choice, f"auto or {given.type} where several workers share a run with these resources")
        return given


@dataclass(frozen=True)
class Progress:
    """One report of a run: where it is, and its newest averages."""

    label: str
    run: str
    state: RunState
    step: int
    steps: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    def to_report(self) -> dict[str, Any]:
        """Returns the dictionary that Tune and Train report; `done` ends the trial."""
        done = self.state != "running"
        flat = {name: value for name, value in self.metrics.items() if isinstance(value, int | float)}
        return {
            **flat,
            "metrics": flat,
            **{name: getattr(self, name) for name in ("label", "run", "state", "step", "steps", "error")},
            "done": done,
        }


def compute_run(request: RunRequest, root: str, placement: Placement) -> Iterator[Progress]:
    """Computes what is missing of a run; the last report has the state `finished` or `failed`.

    A fault of the input (a G3drError) fails the run with its sentence and is not tried again; anything else is
    a crash, which Ray tries again from the last checkpoint.
    """
    torch.set_num_threads(max(1, int(placement.cpus)))
    ledger = Ledger(open_store(root))
    run = RunInProgress(request, ledger, placement)
    try:
        fetch_weights()
        yield from run.train()
        yield run.finish()
    except G3drError as error:
        run.record("failed", error=str(error))
        yield run.progress("failed", error=str(error))


class RunInProgress:
    """A run between its start and its end; see `compute_run`."""

    def __init__(self, request: RunRequest, ledger: Ledger, placement: Placement) -> None:
        self.request, self.ledger, self.placement = request, ledger, placement
        self.run, self.settings = request.spec.id, request.spec.training
        self._step, self._seconds, self._paces = 0, 0.0, list[float]()
        self._rows: list[dict[str, float]] = []
        self._has_started = False

    @cached_property
    def device(self) -> torch.device:
        """Where the run computes."""
        return self.placement.torch_device(self.request.device)

    @cached_property
    def _probe(self) -> Probe:
        return Probe(self.request, self.device)

    def train(self) -> Iterator[Progress]:
        """Trains from the newest checkpoint to the last step; yields every `log_every` steps, at checkpoints and at rungs."""
        if self._is_trained():
            return
        trainer = self._trainer()
        self._start(trainer)
        yield from self._passed_rungs()
        window, since, started = Window(), trainer.step, time.perf_counter()
        batches = self._batches(trainer.step)
        while trainer.step < self.settings.steps:
            window.add(trainer.run_step(next(batches)))
            if not self._reports(trainer.step):
                continue
            averages, seconds = window.close(trainer.step), time.perf_counter() - started
            metrics = {**averages, **self._probed(trainer)}
            self._log(trainer.step, metrics, steps=trainer.step - since, seconds=seconds)
            if self._saves(trainer.step):
                self._checkpoint(trainer.checkpoint())
            since, started = trainer.step, time.perf_counter()
            yield self.progress("running", metrics)
        if self.settings.steps == 0:
            self._checkpoint(Checkpoint(0, trainer.model.state_dict(), {}, trainer.model.config))
        self.record("finished")

    def finish(self) -> Progress:
        """Evaluates if that is asked for and not done yet, and returns the last report."""
        request, metrics = self.request, dict[str, float]()
        if request.evaluation is not None and self.placement.rank == 0:
            record = self.ledger.evaluation(self.run, request.evaluation.id)
            if record is None:
                record = evaluate_run(request, self.ledger, self.device)
            metrics = record["metrics"]
        self._step = self.settings.steps
        return self.progress("finished", metrics)

    def progress(self, state: RunState, metrics: Mapping[str, float] | None = None, error: str | None = None) -> Progress:
        """Returns a report of where the run is."""
        return Progress(self.request.label, self.run, state, self._step, self.settings.steps, metrics or {}, error)

    def record(self, state: RunState, error: str | None = None) -> None:
        """Writes the status to the ledger, unless the driver has stopped the run in the meantime.

        Workers of a distributed run train on until Tune ends them; what they find out then changes nothing any more.
        """
        if self.placement.rank == 0 and not (self._has_started and self._is_stopped()):
            self._write_status(state, error)

    def _write_status(self, state: RunState, error: str | None = None) -> None:
        pace = statistics.median(self._paces) if self._paces else 0.0
        self.ledger.set_status(self.run, RunStatus(state, self._step, self._seconds, pace, error))

    def _is_stopped(self) -> bool:
        status = self.ledger.status(self.run)
        return status is not None and status.state == "stopped"

    def _is_trained(self) -> bool:
        """A run that another sweep stopped is continued for whoever asks for it here."""
        status = self.ledger.status(self.run)
        return status is not None and status.state == "finished"

    def _trainer(self) -> Trainer:
        """Builds the model with its initial weights and everything that trains it."""
        spec, device = self.request.spec, self.device
        model = G3DR(spec.model)
        if self.request.initial_path is None:
            model.initialize(spec.seed)
        else:
            initial = read_initial(self.request.initial_path, self.ledger.store)
            load_model(model, initial.model, self.request.initial_path, may_lack=CONDITIONING_PREFIXES)
        objective = Objective(spec.objective, load_backbones(spec.objective, str(device)), self._feature_store())
        placement = self.placement
        return Trainer(
            model.to(device),
            objective,
            spec.training,
            seed=spec.seed,
            device=device,
            rank=placement.rank,
            world_size=placement.world_size,
            wrap=placement.wrap,
        )

    def _feature_store(self) -> FeatureStore | None:
        """Keeps features of the training images between steps, where a network looks at them and memory is given."""
        spec, limit = self.request.spec, self.settings.feature_memory
        if limit == 0 or not looks_at_images(spec.objective, spec.model.conditioning):
            return None
        rows = sum(shard.rows for shard in self.request.selection.shards())
        return FeatureStore(rows * (2 if self.settings.flip else 1), limit * 2**20)

    def _start(self, trainer: Trainer) -> None:
        """Continues from the newest checkpoint, if there is one."""
        checkpoint = self.ledger.latest_checkpoint(self.run)
        if checkpoint is not None:
            trainer.restore(checkpoint, f"run {self.run}")
            before = self.ledger.status(self.run)
            self._seconds = before.seconds if before else 0.0
        self._step, self._has_started = trainer.step, True
        if self.placement.rank == 0:
            self.ledger.write_spec(self.run, self.request.spec.to_json())
            self._write_status("running")

    def _passed_rungs(self) -> Iterator[Progress]:
        """Reports again what the run had at its rungs before it was interrupted: the new early-stopping rule knows nothing of it."""
        for row in self.ledger.metrics(self.run) if self.request.rungs else ():
            step = int(row["step"])
            if step in self.request.rungs and step <= self._step:
                metrics = {name: value for name, value in row.items() if name != "step"}
                yield replace(self.progress("running", metrics), step=step)

    def _batches(self, start: int) -> Iterator[Any]:
        request = self.request
        return stream(
            request.selection,
            seed=request.spec.seed,
            start_step=start,
            steps=self.settings.steps - start,
            batch_size=self.settings.batch_size,
            rank=self.placement.rank,
            world_size=self.placement.world_size,
            flip=self.settings.flip,
            resolution=request.spec.model.generator.resolution,
        )

    def _reports(self, step: int) -> bool:
        return step % self.request.log_every == 0 or self._saves(step)

    def _saves(self, step: int) -> bool:
        return step % self.request.checkpoint_every == 0 or step == self.settings.steps or step in self.request.rungs

    def _probed(self, trainer: Trainer) -> Mapping[str, float]:
        """Measures the model at a rung, outside of the time that training is charged for."""
        if self.placement.rank != 0 or trainer.step not in self.request.rungs:
            return {}
        return self._probe.measure(trainer.model)

    def _log(self, step: int, averages: Mapping[str, float], *, steps: int, seconds: float) -> None:
        self._step = step
        self._seconds += seconds
        self._paces.append(seconds / max(1, steps))
        self._rows.append({"step": step, **averages, "seconds_per_step": self._paces[-1]})

    def _checkpoint(self, checkpoint: Checkpoint) -> None:
        """Writes metrics first, the checkpoint second, the status last: what a reader finds is never ahead of the checkpoint."""
        if self.placement.rank != 0:
            return
        self.ledger.write_metrics(self.run, checkpoint.step, self._rows)
        self.ledger.save_checkpoint(self.run, checkpoint)
        self._rows = []
        self.record("running")
