"""Expands the stages of an experiment into runs: a pure function of the experiment and of what is known.

Most runs are known before anything has run, because the id of a run follows from those of its ancestors. What
must wait (a data set that is not packed yet, the best of an unfinished sweep, Optuna's next batch) is Deferred.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from g3dr.errors import ConfigError, did_you_mean
from orchestrator.capacity import Resources
from orchestrator.counting import count_runs
from orchestrator.knowledge import DatasetInfo, Deferred, Expansion, Knowledge, Outcome
from orchestrator.merging import merge
from orchestrator.problems import ExperimentError
from orchestrator.recipes import RECIPES
from orchestrator.runs import DataSelection, EvaluationSpec, RunRequest, RunSpec
from orchestrator.scores import mode_of
from orchestrator.search import TrialResult, best_of, direction, label_of, number_of_trials, propose
from orchestrator.settings import Assignment, Settings, assigned, overlaid
from orchestrator.sources import Origin, parse_origin
from orchestrator.spec import AnyStage, EvaluateStage, Experiment, GridStage, SweepStage, TrainingStage, TrainStage


class _WaitError(Exception):
    """Something that a stage needs is not known yet."""


def expand_stage(experiment: Experiment, stage: AnyStage, knowledge: Knowledge) -> Expansion:
    """Returns the runs of a stage, each once.

    Raises:
        ExperimentError: The data set or an origin does not fit the stage.
    """
    try:
        if isinstance(stage, SweepStage):
            return _expand_sweep(experiment, stage, knowledge)
        if isinstance(stage, GridStage):
            return _once(_expand_grid(experiment, stage, knowledge))
        if isinstance(stage, EvaluateStage):
            return _once(_expand_evaluate(experiment, stage, knowledge))
        return _once(_expand_train(experiment, stage, knowledge))
    except _WaitError as wait:
        return Deferred(count_runs(experiment, stage), str(wait))


def _once(requests: Sequence[RunRequest]) -> list[RunRequest]:
    """Two equal runs are one run: two processes must not write the same one at a time."""
    by_key: dict[tuple[str, str], RunRequest] = {}
    for request in requests:
        by_key.setdefault((request.spec.id, request.evaluation.id if request.evaluation else ""), request)
    return list(by_key.values())


# Parts that all kinds share


def _dataset(stage: AnyStage, knowledge: Knowledge) -> DatasetInfo:
    info = knowledge.datasets.get(stage.data)
    if info is None:
        raise _WaitError(f"data set {stage.data} is not packed yet")
    return info


def _species(stage: TrainStage | GridStage | EvaluateStage, dataset: DatasetInfo) -> tuple[str, ...] | None:
    for name in stage.species or ():
        if name not in dataset.species:
            allowed = f"one of {', '.join(dataset.species)}"
            raise ExperimentError(
                stage.data, [ConfigError(f"stages.{stage.name}.species", name, allowed, did_you_mean(name, dataset.species))]
            )
    return stage.species


@dataclass(frozen=True)
class _Start:
    """Initial weights: `identity` goes into the id of a run, `path` is where they are read."""

    identity: str | None = None
    path: str | None = None
    request: RunRequest | None = None


def _start(experiment: Experiment, source: str | None, knowledge: Knowledge, seed: int | None) -> _Start:
    if source is None:
        return _Start()
    origin = parse_origin(source)
    if origin.kind == "checkpoint":
        return _outside(origin, knowledge)
    request = (
        best_request(experiment, origin.name, knowledge) if origin.kind == "best" else _of_seed(experiment, origin.name, knowledge, seed)
    )
    return _Start(request.spec.id, request.final_checkpoint, request)


def _outside(origin: Origin, knowledge: Knowledge) -> _Start:
    if origin.name not in knowledge.checkpoints:
        raise _WaitError(f"checkpoint {origin.name} has not been read yet")
    return _Start(knowledge.checkpoints[origin.name], origin.name)


def _of_seed(experiment: Experiment, name: str, knowledge: Knowledge, seed: int | None) -> RunRequest:
    """The run of the same seed, if the stage has one, else its first."""
    requests = _known(experiment, name, knowledge)
    return next((request for request in requests if request.spec.seed == seed), requests[0])


def _known(experiment: Experiment, name: str, knowledge: Knowledge) -> list[RunRequest]:
    expansion = expand_stage(experiment, experiment.stage(name), knowledge)
    if isinstance(expansion, Deferred):
        raise _WaitError(expansion.reason)
    return expansion


def best_request(experiment: Experiment, name: str, knowledge: Knowledge) -> RunRequest:
    """Returns the best run of a sweep or a grid, by the metric that the stage names.

    Raises:
        ExperimentError: The stage compares nothing, or none of its runs has the metric.
    """
    stage = experiment.stage(name)
    metric = stage.search.metric if isinstance(stage, SweepStage) else getattr(stage, "metric", None)
    if metric is None:
        raise ExperimentError(
            experiment.name, [ConfigError(f"stages.{name}.metric", None, "a metric, since another stage asks for its best")]
        )
    mode = direction(stage.search) if isinstance(stage, SweepStage) else mode_of(metric)
    requests = _known(experiment, name, knowledge)
    outcomes = [knowledge.outcome(request) for request in requests]
    if any(outcome is None for outcome in outcomes):
        raise _WaitError(f"the best of {name} is known when its runs are over")
    results = [TrialResult(index, {}, _value(outcome, metric)) for index, outcome in enumerate(outcomes)]
    best = best_of(results, mode)
    if best is None:
        raise ExperimentError(experiment.name, [ConfigError(f"stages.{name}", "no finished run", f"one run or more with {metric}")])
    return requests[best.index]


def _value(outcome: Outcome | None, metric: str) -> float | None:
    """Only finished runs compete: a stopped one was behind, and its last checkpoint is not the one that was planned."""
    return outcome.metrics.get(metric) if outcome is not None and outcome.state == "finished" else None


def _settings(experiment: Experiment, stage: TrainStage | SweepStage | GridStage, start: _Start, knowledge: Knowledge) -> Settings:
    """Base, the winning values of a sweep, the stage's own; the shape of the network comes from where the stage starts."""
    base = experiment.base if start.request is None else replace(experiment.base, model=start.request.spec.model)
    changes: Mapping[str, Any] = {}
    if stage.settings is not None:
        changes = assigned(best_request(experiment, parse_origin(stage.settings).name, knowledge).assignment)
    own = {"model": stage.model, "objective": stage.objective, "training": stage.training, "evaluation": stage.evaluation}
    return overlaid(base, merge(changes, own), f"stages.{stage.name}")


def _request(
    experiment: Experiment,
    stage: AnyStage,
    settings: Settings,
    start: _Start,
    dataset: DatasetInfo,
    *,
    label: str,
    knowledge: Knowledge,
    species: tuple[str, ...] | None = None,
    measured: bool = True,
) -> RunRequest:
    data = DataSelection(dataset.version, "train", species)
    spec = RunSpec(settings.model, settings.objective, settings.training, data, start.identity, settings.seed, knowledge.compute_version)
    return RunRequest(
        spec=spec,
        label=label,
        stage=stage.name,
        data_uri=dataset.uri,
        initial_path=start.path,
        evaluation=EvaluationSpec.of(settings.evaluation, dataset.version, species) if measured else None,
        evaluation_data_uri=dataset.uri if measured else None,
        **asdict(stage_resources(experiment, stage)),
    )


def stage_resources(experiment: Experiment, stage: AnyStage) -> Resources:
    """Returns what each run of a stage gets; a measurement always has one worker."""
    given = experiment.resources
    return Resources(
        workers=(stage.workers or given.workers) if isinstance(stage, TrainingStage) else 1,
        cpus_per_worker=given.cpus_per_worker if stage.cpus_per_worker is None else stage.cpus_per_worker,
        gpus_per_worker=given.gpus_per_worker if stage.gpus_per_worker is None else stage.gpus_per_worker,
        device=given.device,
    )


# One function for each kind


def _expand_train(experiment: Experiment, stage: TrainStage, knowledge: Knowledge) -> list[RunRequest]:
    dataset = _dataset(stage, knowledge)
    species, seeds = _species(stage, dataset), stage.seeds or (experiment.seed,)
    requests = []
    for seed in seeds:
        start = _start(experiment, stage.source, knowledge, seed)
        settings = replace(_settings(experiment, stage, start, knowledge), seed=seed)
        label = stage.name if len(seeds) == 1 else f"{stage.name}, seed {seed}"
        requests.append(
            _request(experiment, stage, settings, start, dataset, label=label, knowledge=knowledge, species=species, measured=False)
        )
    return requests


def _expand_grid(experiment: Experiment, stage: GridStage, knowledge: Knowledge) -> list[RunRequest]:
    dataset, seeds = _dataset(stage, knowledge), stage.seeds or (experiment.seed,)
    species = _species(stage, dataset) or dataset.species
    requests: list[RunRequest] = []
    for seed in seeds:
        start = _start(experiment, stage.source, knowledge, seed)
        base = replace(_settings(experiment, stage, start, knowledge), seed=seed)
        suffix = f", seed {seed}" if len(seeds) > 1 else ""
        cells = [
            _cell(experiment, stage, base, start, knowledge=knowledge, species=name, recipe=recipe)
            for name in species
            for recipe in stage.recipes
        ]
        # What is not trained is the same for every seed.
        requests += [replace(cell, label=cell.label + suffix) for cell in cells if cell.spec.training.steps or seed == seeds[0]]
    return requests


def _cell(
    experiment: Experiment, stage: GridStage, base: Settings, start: _Start, *, knowledge: Knowledge, species: str, recipe: str
) -> RunRequest:
    own = stage.recipes[recipe]
    settings = overlaid(base, RECIPES[recipe] if own is None else own.changes, f"stages.{stage.name}.recipes.{recipe}")
    label, dataset = f"{species}, {recipe}", _dataset(stage, knowledge)
    request = _request(experiment, stage, settings, start, dataset, label=label, knowledge=knowledge, species=(species,))
    return replace(request, species=species, recipe=recipe)


def _expand_evaluate(experiment: Experiment, stage: EvaluateStage, knowledge: Knowledge) -> list[RunRequest]:
    dataset = _dataset(stage, knowledge)
    origin = parse_origin(stage.source)
    settings = overlaid(experiment.base, {"evaluation": stage.evaluation}, f"stages.{stage.name}")
    evaluation = EvaluationSpec.of(settings.evaluation, dataset.version, _species(stage, dataset))
    if origin.kind == "checkpoint":
        start = _outside(origin, knowledge)
        untrained = overlaid(settings, RECIPES["pre_trained"], f"stages.{stage.name}")
        sources = [_request(experiment, stage, untrained, start, dataset, label=stage.name, knowledge=knowledge)]
    elif origin.kind == "best":
        sources = [best_request(experiment, origin.name, knowledge)]
    else:
        sources = _known(experiment, origin.name, knowledge)
    own = {"stage": stage.name, "evaluation": evaluation, "evaluation_data_uri": dataset.uri, **asdict(stage_resources(experiment, stage))}
    return [replace(source, **own) for source in sources]


def sweep_request(experiment: Experiment, stage: SweepStage, knowledge: Knowledge) -> Callable[[int, Assignment], RunRequest]:
    """Returns the function that makes the request of a trial from its index and its values.

    Raises:
        ExperimentError: What the sweep starts from has no usable run.
    """
    dataset = _dataset(stage, knowledge)
    start = _start(experiment, stage.source, knowledge, experiment.seed)
    base = _settings(experiment, stage, start, knowledge)

    def make(index: int, assignment: Assignment) -> RunRequest:
        settings = overlaid(base, assigned(assignment), f"stages.{stage.name}.axes")
        request = _request(experiment, stage, settings, start, dataset, label=label_of(assignment), knowledge=knowledge)
        rungs = stage.search.asha.rungs(settings.training.steps) if stage.search.asha else ()
        return replace(request, assignment=dict(assignment), index=index, rungs=rungs)

    return make


def _expand_sweep(experiment: Experiment, stage: SweepStage, knowledge: Knowledge) -> Expansion:
    make, total = sweep_request(experiment, stage, knowledge), number_of_trials(stage.axes, stage.search)
    requests: list[RunRequest] = []
    history: list[TrialResult] = []
    for index in range(total):
        assignment = propose(stage.axes, stage.search, index, history)
        if assignment is None:
            return Deferred(
                total - index, f"Optuna proposes the next {stage.search.batch} when the batch before is over", tuple(_once(requests))
            )
        request = make(index, assignment)
        requests.append(request)
        # Only Optuna learns from results; a store over the network is not asked for nothing.
        outcome = knowledge.outcome(request) if stage.search.algorithm == "optuna" else None
        if outcome is not None:
            history.append(TrialResult(index, assignment, outcome.metrics.get(stage.search.metric)))
    return _once(requests)
