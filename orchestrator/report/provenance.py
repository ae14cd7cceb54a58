"""Where the results come from, and what they took: code, data, weights, trainings that others began from, time and money."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.planning.capacity import Resources
from orchestrator.planning.durations import Span
from orchestrator.planning.prices import Prices, cost_of
from orchestrator.report.records import Evaluation, Stage, StageRun, Study


@dataclass(frozen=True)
class Weights:
    """A network that measured something: its name, the SHA-256 of its weights, and what it measured."""

    name: str
    sha256: str
    purpose: str


@dataclass(frozen=True)
class Origin:
    """What the runs of a stage began from.

    Attributes:
        stage: The stage.
        runs: How many of its runs began there.
        initial: Run id or SHA-256 of the checkpoint.
        known_as: Label of that run, where it is part of this experiment; else empty.
    """

    stage: str
    runs: int
    initial: str
    known_as: str


@dataclass(frozen=True)
class Spent:
    """What an experiment took.

    Attributes:
        wall_seconds: Of its stages, one after the other, each as it was last run.
        training_seconds: Of the training steps of all its runs, each counted once and once for each of its workers.
        runs: Runs that exist.
        steps: Training steps of all of them.
        amount: Most that the training costs at the prices given: as if every run had rented machines of its own; None without prices.
        currency: Of the amount.
    """

    wall_seconds: float
    training_seconds: float
    runs: int
    steps: int
    amount: float | None = None
    currency: str = ""


def weights(study: Study) -> list[Weights]:
    """Returns the networks behind the study's metrics, each once."""
    return sorted(set(_weights(_evaluations(study))), key=lambda item: (item.name, item.sha256, item.purpose))


def _evaluations(study: Study) -> Iterator[Evaluation]:
    return (run.evaluation for stage in study.stages for run in stage.runs if run.evaluation)


def _weights(evaluations: Iterable[Evaluation]) -> Iterator[Weights]:
    for evaluation in evaluations:
        if evaluation.extractor:
            yield Weights(evaluation.extractor, evaluation.extractor_hash, "distances between distributions")
        if evaluation.perceptual:
            yield Weights(evaluation.perceptual, evaluation.perceptual_hash, "perceptual distance")


def origins(study: Study) -> list[Origin]:
    """Returns, stage by stage, the checkpoints that runs began from."""
    labels = {run.run: f"{stage.name}: {run.name}" for stage in reversed(study.stages) for run in stage.runs}
    found = []
    for stage in study.stages:
        begun = [source for run in stage.runs for source in _sources(run.spec) if stage.kind != "evaluate"]
        found += [Origin(stage.name, begun.count(initial), initial, labels.get(initial, "")) for initial in dict.fromkeys(begun)]
    return found


def _sources(spec: Mapping[str, Any]) -> list[str]:
    """The checkpoints that a run is built on: its initial weights, and the autoencoder of a denoiser."""
    return [str(spec[name]) for name in ("initial", "autoencoder") if spec.get(name)]


def spent(study: Study, prices: Prices | None = None) -> Spent:
    """Adds up what the runs took.

    Args:
        study: The experiment.
        prices: The user's; None for no amount.
    """
    runs = {run.run: (run, _resources(study, stage)) for stage in study.stages for run in stage.runs if run.state != "missing"}
    return Spent(
        wall_seconds=sum(stage.seconds for stage in study.stages),
        training_seconds=sum(run.seconds * resources.workers for run, resources in runs.values()),
        runs=len(runs),
        steps=sum(run.step for run, _ in runs.values()),
        amount=_amount(list(runs.values()), prices) if prices else None,
        currency=prices.currency if prices else "",
    )


def _amount(runs: Sequence[tuple[StageRun, Resources]], prices: Prices) -> float | None:
    costs = [cost_of(prices, Span(run.seconds, run.seconds), resources, 1, None) for run, resources in runs]
    known = [cost.amount.high for cost in costs if cost]
    return sum(known) if len(known) == len(costs) else None


def _resources(study: Study, stage: Stage) -> Resources:
    stages: Sequence[Mapping[str, Any]] = study.experiment.get("stages") or []
    declared = next((entry for entry in stages if entry.get("name") == stage.name), dict[str, Any]())
    shared = study.experiment.get("resources") or {}
    return Resources(
        workers=int(_first("workers", declared, shared, 1)),
        cpus_per_worker=_first("cpus_per_worker", declared, shared, 1.0),
        gpus_per_worker=_first("gpus_per_worker", declared, shared, 0.0),
    )


def _first(name: str, declared: Mapping[str, float | None], shared: Mapping[str, float | None], default: float) -> float:
    return next((value for value in (declared.get(name), shared.get(name)) if value is not None), default)
