"""Times trainings against each other in one process: in turns, so that what else the machine does falls on all of them alike."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from g3dr.backbones import Backbones
from g3dr.config import ObjectiveConfig, TrainingConfig
from g3dr.losses import FeatureStore, Objective
from g3dr.losses.targets import looks_at_images
from g3dr.model import G3DR
from g3dr.profiling.instruments import Stopwatch
from g3dr.profiling.steps import StepKind, step_kinds
from g3dr.training.optimization import Place
from g3dr.training.trainer import Trainer
from g3dr.types import Batch

WARM_UP = 2


@dataclass(frozen=True)
class TimedTraining:
    """One of the trainings that are timed.

    Attributes:
        name: In tables.
        model: Its own, on the device; it is trained by this.
        objective: Losses.
        backbones: Their networks, on the same device.
        config: The training's settings.
        batches: Its batches, one per round and warm-up round.
        images: Different images of the training, for what is kept of them; 0 keeps nothing.
    """

    name: str
    model: G3DR
    objective: ObjectiveConfig
    backbones: Backbones
    config: TrainingConfig
    batches: Iterator[Batch]
    images: int = 0


def interleaved_seconds(
    trainings: Sequence[TimedTraining],
    rounds: int,
    device: torch.device,
    generator: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[float]]:
    """Returns the seconds of a mean step of each training in each round.

    In a round every training does one step of each kind that its schedule has (the input view, the input view through networks, a
    novel view), in an order that is drawn anew for every kind; a mean step weighs the kinds by their shares of the training. The
    first two rounds are for warming up and not counted. See `clock_of` for what a second is.

    Args:
        trainings: What is timed.
        rounds: Counted rounds.
        device: Where they compute; it is waited for.
        generator: Draws the orders.
        progress: Is called with the rounds done and all rounds.
    """
    racers = [_Racer(training, device) for training in trainings]
    seconds: list[list[float]] = [[] for _ in racers]
    for number in range(-WARM_UP, rounds):
        if progress is not None:
            progress(number + WARM_UP, rounds + WARM_UP)
        found = _round(racers, generator)
        if number >= 0:
            for column, value in zip(seconds, found, strict=True):
                column.append(value)
    return seconds


def clock_of(device: torch.device) -> Callable[[], float]:
    """Returns the clock of a device: on a processor the time that this process was given of it, else the time of the day.

    Other work on the machine delays a process, but is not counted in its processor time. A GPU is waited for.
    """
    return time.process_time if device.type == "cpu" else Stopwatch(device).now


def _round(racers: "Sequence[_Racer]", generator: np.random.Generator) -> list[float]:
    totals, batches = [0.0] * len(racers), [next(racer.batches) for racer in racers]
    for kind in range(max(len(racer.lanes) for racer in racers)):
        for place in generator.permutation(len(racers)):
            if kind < len(racers[place].lanes):
                totals[place] += racers[place].seconds(kind, batches[place])
    return totals


class _Racer:
    """One training, with a trainer for each kind of step; these share its model."""

    def __init__(self, training: TimedTraining, device: torch.device) -> None:
        self.batches, self._now = training.batches, clock_of(device)
        kinds = step_kinds(training.config, training.objective)
        self.lanes = [(kind, _trainer(training, kind, device)) for kind in kinds]

    def seconds(self, kind: int, batch: Batch) -> float:
        """Does a step of a kind; returns its seconds times its share of the training."""
        step, trainer = self.lanes[kind]
        trainer.step = step.step
        started = self._now()
        trainer.run_step(batch)
        return (self._now() - started) * step.share


def _trainer(training: TimedTraining, kind: StepKind, device: torch.device) -> Trainer:
    config = replace(training.config, novel_probability=1.0 if kind.novel else 0.0)
    limit = config.feature_memory * 2**20
    keeps = training.images and limit and looks_at_images(training.objective, training.model.config.conditioning)
    store = FeatureStore(training.images, limit) if keeps else None
    objective = Objective(training.objective, training.backbones, store)
    return Trainer(training.model, objective, config, seed=0, place=Place(device))
