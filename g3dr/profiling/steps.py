"""Profiles the kinds of steps that a training consists of, and adds them up to the whole."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from g3dr.backbones import Backbones
from g3dr.config import ObjectiveConfig, TrainingConfig
from g3dr.losses import FeatureStore
from g3dr.losses.schedules import novel_chance, semantic_factor
from g3dr.losses.targets import looks_at_images
from g3dr.model import G3DR
from g3dr.profiling.instruments import Cost, Stopwatch
from g3dr.profiling.memory import parameter_bytes, peak_bytes, reset_peak
from g3dr.profiling.watching import WatchedObjective, WatchedTrainer
from g3dr.training.optimization import Place
from g3dr.types import Batch

MOST_ROUNDS = 30
_SAMPLED_STEPS = 1000


@dataclass(frozen=True)
class StepKind:
    """One kind of step.

    Attributes:
        name: In words.
        step: A step of the training that is of this kind.
        novel: It renders a view from elsewhere.
        share: Fraction of the training's steps.
    """

    name: str
    step: int
    novel: bool
    share: float


@dataclass(frozen=True)
class StepProfile:
    """Where the time and memory of one kind of step go.

    Attributes:
        kind: The kind.
        parts: Cost of each part, in the order of the step; medians over the watched steps.
        undisturbed: Seconds of a whole step that nobody watched, median.
        peak: Highest use of memory, bytes; None where the system does not tell.
    """

    kind: StepKind
    parts: Mapping[str, Cost]
    undisturbed: float
    peak: int | None

    @property
    def watched(self) -> float:
        """The sum of the parts, seconds."""
        return sum(cost.seconds for cost in self.parts.values())


@dataclass(frozen=True)
class TrainingProfile:
    """Where the time and memory of a training go.

    Attributes:
        steps: One profile per kind of step.
        held: Bytes that are in use during the whole training, by what they are.
        before: Bytes in use before there was a model; None where the system does not tell.
        images: Images of a step on this worker.
    """

    steps: Sequence[StepProfile]
    held: Mapping[str, int]
    before: int | None
    images: int

    @property
    def mean_step(self) -> float:
        """Seconds of a step on average over the training."""
        return sum(step.kind.share * step.undisturbed for step in self.steps)

    @property
    def peak(self) -> int | None:
        """Highest use of memory over all kinds, bytes."""
        peaks = [step.peak for step in self.steps if step.peak is not None]
        return max(peaks, default=None)

    def shares(self) -> dict[str, float]:
        """Returns each part's fraction of the training's time."""
        totals: dict[str, float] = {}
        for step in self.steps:
            for name, cost in step.parts.items():
                totals[name] = totals.get(name, 0.0) + step.kind.share * cost.seconds
        whole = sum(totals.values())
        return {name: seconds / whole for name, seconds in totals.items()}


def step_kinds(config: TrainingConfig, objective: ObjectiveConfig) -> list[StepKind]:
    """Lists the kinds of steps of a training with their shares; those that never come are left out."""
    sampled = range(0, config.steps, max(1, config.steps // _SAMPLED_STEPS))
    novel = [novel_chance(step, config.steps, config.novel_probability) for step in sampled]
    late = [_sees_through_networks(step, config, objective) for step in sampled]
    count, last = len(sampled), config.steps - 1
    early_share = sum(1 - chance for chance, is_late in zip(novel, late, strict=True) if not is_late) / count
    late_share = sum(1 - chance for chance, is_late in zip(novel, late, strict=True) if is_late) / count
    first_late = max(0, math.ceil(objective.semantic_start * config.steps)) if any(late) else config.steps
    kinds = [
        StepKind("the input view", max(0, first_late - 1), novel=False, share=early_share),
        StepKind("the input view, later, through networks too", last, novel=False, share=late_share),
        StepKind("a novel view", last, novel=True, share=sum(novel) / count),
    ]
    return [kind for kind in kinds if kind.share > 0]


def _sees_through_networks(step: int, config: TrainingConfig, objective: ObjectiveConfig) -> bool:
    has_network = objective.clip.weight > 0 or objective.perceptual.weight > 0
    return has_network and semantic_factor(step, config.steps, objective.semantic_start) > 0


@dataclass(frozen=True)
class Workload:
    """What is profiled.

    Attributes:
        model: On its device.
        objective: Weights and forms of the losses.
        backbones: Its networks, on the same device.
        config: The training's settings.
        batches: Returns this worker's share of a batch at every call.
        device: Where it computes.
        world_size: Workers that share each batch; only one of them is profiled, without what they tell each other.
        images: Different images of the training, for what is kept of them; 0 keeps nothing.
    """

    model: G3DR
    objective: ObjectiveConfig
    backbones: Backbones
    config: TrainingConfig
    batches: Callable[[], Batch]
    device: torch.device
    world_size: int = 1
    images: int = 0


def profile_training(
    work: Workload, *, steps: int | None = None, before: int | None = None, progress: Callable[[str, int, int], None] | None = None
) -> TrainingProfile:
    """Does a few steps of every kind, half of them watched.

    Args:
        work: What is profiled; its model is trained by this.
        steps: Watched steps of each kind; as many are not watched, to see whether watching disturbs, and one is for warming up.
            None takes as many as fit into about two seconds.
        before: `current_bytes` before the model was made.
        progress: Is called with a title, the steps done and all steps.
    """
    tell = progress or (lambda *_: None)
    profiles = [_profile_kind(work, kind, steps, partial(tell, kind.name)) for kind in step_kinds(work.config, work.objective)]
    return TrainingProfile(profiles, _held(work), before, work.config.batch_size // work.world_size)


def _profile_kind(work: Workload, kind: StepKind, steps: int | None, progress: Callable[[int, int], None]) -> StepProfile:
    trainer = _trainer(work, kind)
    reset_peak(work.device)
    progress(0, 1)
    counted = trainer.watched_step(work.batches, count_memory=True)
    rounds = steps or _rounds(sum(cost.seconds for cost in counted.values()))
    watched, undisturbed = [], []
    for number in range(rounds):
        progress(number, rounds)
        trainer.step = kind.step
        undisturbed.append(trainer.timed_step(work.batches))
        trainer.step = kind.step
        watched.append(trainer.watched_step(work.batches))
    trainer.close()
    parts = {name: _median(name, watched, cost.kept) for name, cost in counted.items()}
    return StepProfile(kind, parts, statistics.median(undisturbed), peak_bytes(work.device))


def _rounds(seconds: float) -> int:
    """Returns how many pairs of steps fit into two seconds."""
    return min(MOST_ROUNDS, max(1, round(1 / max(seconds, 1e-3))))


def _trainer(work: Workload, kind: StepKind) -> WatchedTrainer:
    config = replace(work.config, novel_probability=1.0 if kind.novel else 0.0)
    watch = Stopwatch(work.device)
    limit = config.feature_memory * 2**20
    keeps = work.images and limit and looks_at_images(work.objective, work.model.config.conditioning)
    store = FeatureStore(work.images, limit) if keeps else None
    objective = WatchedObjective(work.objective, work.backbones, store, watch)
    place = Place(work.device, world_size=work.world_size)
    trainer = WatchedTrainer(work.model, objective, config, watch, seed=0, place=place)
    trainer.step = kind.step
    return trainer


def _median(name: str, watched: Sequence[Mapping[str, Cost]], kept: int) -> Cost:
    found = [parts[name] for parts in watched if name in parts]
    if not found:
        return Cost(kept=kept)
    return Cost(statistics.median(cost.forward for cost in found), statistics.median(cost.backward for cost in found), kept)


def _held(work: Workload) -> dict[str, int]:
    trained = parameter_bytes(work.model, trained_only=True)
    networks = [network for network in vars(work.backbones).values() if isinstance(network, nn.Module)]
    return {
        "parameters": parameter_bytes(work.model),
        "gradients": trained,
        "Adam's moments": 2 * trained,
        "frozen networks": sum(parameter_bytes(network) for network in networks),
    }
