"""Expands the stages of an experiment into runs: a pure function of the experiment and of what is known.

Most runs are known before anything has run, because the id of a run follows from those of its ancestors. What
must wait (a data set that is not packed yet, the best of an unfinished sweep, Optuna's next batch) is Deferred.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from g3dr.errors import ConfigError, did_you_mean
from orchestrator.experiment.counting import count_runs
from orchestrator.experiment.merging import merge
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.recipes import RECIPES
from orchestrator.experiment.settings import Settings, assigned, overlaid
from orchestrator.experiment.sources import Origin, parse_origin
from orchestrator.experiment.spec import (
    AnyStage,
    EvaluateStage,
    Experiment,
    GridStage,
    NetworkStage,
    SweepStage,
    TrainStage,
)
from orchestrator.planning.choice import StageChoice, choose, objectives_of
from orchestrator.planning.knowledge import DatasetInfo, Deferred, Expansion, Knowledge
from orchestrator.planning.staffing import stage_resources
from orchestrator.runs import DataSelection, EvaluationSpec, RunRequest, RunSpec


class WaitError(Exception):
    """Something that a stage needs is not known yet."""


def expand_stage(experiment: Experiment, stage: AnyStage, knowledge: Knowledge) -> Expansion:
    """Returns the runs of a stage, each once.

    Raises:
        ExperimentError: The data set or an origin does not fit the stage.
    """
    known = {} if knowledge.expansions is None else knowledge.expansions
    if stage.name not in known:
        known[stage.name] = _expand(experiment, stage, knowledge)
    return known[stage.name]


def _expand(experiment: Experiment, stage: AnyStage, knowledge: Knowledge) -> Expansion:
    try:
        found = _expander(stage.kind)(experiment, stage, knowledge)
    except WaitError as wait:
        return Deferred(count_runs(experiment, stage), str(wait))
    return found if isinstance(found, Deferred) or stage.kind == "sweep" else each_once(found)


def _expander(kind: str) -> Callable[..., Expansion]:
    """The function of a kind of stage; those in other files start from where this module says, with this module."""
    from orchestrator.planning.expand_network import expand_network  # noqa: PLC0415
    from orchestrator.planning.expand_sweep import expand_sweep  # noqa: PLC0415
    from orchestrator.planning.expand_timing import expand_timing  # noqa: PLC0415

    by_kind: dict[str, Callable[..., Expansion]] = {
        "train": _expand_train,
        "sweep": expand_sweep,
        "grid": _expand_grid,
        "evaluate": _expand_evaluate,
        "timing": expand_timing,
        "network": expand_network,
    }
    return by_kind[kind]


def each_once(requests: Sequence[RunRequest]) -> list[RunRequest]:
    """Two equal runs are one run: two processes must not write the same one at a time."""
    by_key: dict[tuple[str, str], RunRequest] = {}
    for request in requests:
        by_key.setdefault((request.spec.id, request.measurement), request)
    return list(by_key.values())


# Parts that all kinds share


def dataset_of(stage: AnyStage, knowledge: Knowledge) -> DatasetInfo:
    """Returns the data set of a stage; raises WaitError while it is not packed."""
    info = knowledge.datasets.get(stage.data)
    if info is None:
        raise WaitError(f"data set {stage.data} is not packed yet")
    return info


def species_of(stage: TrainStage | GridStage | EvaluateStage | NetworkStage, dataset: DatasetInfo) -> tuple[str, ...] | None:
    """Returns the species that a stage names; None for all.

    Raises:
        ExperimentError: The data set does not have one of them.
    """
    for name in stage.species or ():
        if name not in dataset.species:
            allowed = f"one of {', '.join(dataset.species)}"
            raise ExperimentError(
                stage.data, [ConfigError(f"stages.{stage.name}.species", name, allowed, did_you_mean(name, dataset.species))]
            )
    return stage.species


@dataclass(frozen=True)
class Start:
    """Initial weights: `identity` goes into the id of a run, `path` is where they are read."""

    identity: str | None = None
    path: str | None = None
    request: RunRequest | None = None


def start_of(experiment: Experiment, source: str | None, knowledge: Knowledge, seed: int | None) -> Start:
    """Returns the initial weights that `source` means; of a stage with several seeds, those of `seed`."""
    if source is None:
        return Start()
    origin = parse_origin(source)
    if origin.kind == "checkpoint":
        return _outside(origin, knowledge)
    request = (
        best_request(experiment, origin.name, knowledge, seed)
        if origin.kind == "best"
        else _of_seed(experiment, origin.name, knowledge, seed)
    )
    return Start(request.spec.id, request.final_checkpoint, request)


def _outside(origin: Origin, knowledge: Knowledge) -> Start:
    if origin.name not in knowledge.checkpoints:
        raise WaitError(f"checkpoint {origin.name} has not been read yet")
    return Start(knowledge.checkpoints[origin.name], origin.name)


def _of_seed(experiment: Experiment, name: str, knowledge: Knowledge, seed: int | None) -> RunRequest:
    """The run of the same seed, if the stage has one, else its first."""
    requests = _known(experiment, name, knowledge)
    return next((request for request in requests if request.spec.seed == seed), requests[0])


def _known(experiment: Experiment, name: str, knowledge: Knowledge) -> list[RunRequest]:
    expansion = expand_stage(experiment, experiment.stage(name), knowledge)
    if isinstance(expansion, Deferred):
        raise WaitError(expansion.reason)
    return expansion


def best_request(experiment: Experiment, name: str, knowledge: Knowledge, seed: int | None = None) -> RunRequest:
    """Returns the best run of a sweep or a grid, by the first objective that the stage names.

    Of a trial with several seeds it is the run of `seed`, if there is one, else the first.

    Raises:
        ExperimentError: The stage compares nothing, or none of its runs has the metric.
    """
    choice = stage_choice(experiment, experiment.stage(name), knowledge)
    if choice is None:
        raise ExperimentError(
            experiment.name, [ConfigError(f"stages.{name}.metric", None, "a metric, since another stage asks for its best")]
        )
    if choice.best is None:
        metrics = ", ".join(goal.metric for goal in choice.objectives)
        raise ExperimentError(experiment.name, [ConfigError(f"stages.{name}", "no finished run", f"one run or more with {metrics}")])
    return choice.best.of_seed(seed)


def stage_choice(experiment: Experiment, stage: AnyStage, knowledge: Knowledge) -> StageChoice | None:
    """Returns what a stage found; None for one that compares nothing.

    Raises:
        WaitError: Its runs are not over yet.
        ExperimentError: What it starts from has no usable run.
    """
    if not objectives_of(stage):
        return None
    requests = _known(experiment, stage.name, knowledge)
    outcomes = [knowledge.outcome(request) for request in requests]
    if any(outcome is None for outcome in outcomes):
        raise WaitError(f"the best of {stage.name} is known when its runs are over")
    return choose(stage, requests, outcomes)


def settings_of(experiment: Experiment, stage: TrainStage | SweepStage | GridStage, start: Start, knowledge: Knowledge) -> Settings:
    """Base, the winning values of a sweep, the stage's own; the shape of the network comes from where the stage starts."""
    base = experiment.base if start.request is None else replace(experiment.base, model=start.request.spec.model)
    changes: Mapping[str, Any] = {}
    if stage.settings is not None:
        best = best_request(experiment, parse_origin(stage.settings).name, knowledge).assignment
        changes = assigned({path: value for path, value in best.items() if path != "species"})
    own = {"model": stage.model, "objective": stage.objective, "training": stage.training, "evaluation": stage.evaluation}
    return overlaid(base, merge(changes, own), f"stages.{stage.name}")


def request_of(
    experiment: Experiment,
    stage: AnyStage,
    settings: Settings,
    start: Start,
    dataset: DatasetInfo,
    *,
    label: str,
    knowledge: Knowledge,
    species: tuple[str, ...] | None = None,
    measured: bool = True,
) -> RunRequest:
    """Returns the request of one run."""
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
        kept_checkpoints=experiment.retention.checkpoints,
        evaluate_every=settings.evaluation.every if measured and settings.training.steps else None,
        **asdict(stage_resources(experiment, stage)),
    )


# One function for each kind


def _expand_train(experiment: Experiment, stage: TrainStage, knowledge: Knowledge) -> list[RunRequest]:
    dataset = dataset_of(stage, knowledge)
    species, seeds = species_of(stage, dataset), stage.seeds or (experiment.seed,)
    requests = []
    for seed in seeds:
        start = start_of(experiment, stage.source, knowledge, seed)
        settings = replace(settings_of(experiment, stage, start, knowledge), seed=seed)
        label, measured = stage.name if len(seeds) == 1 else f"{stage.name}, seed {seed}", settings.evaluation.every is not None
        requests.append(
            request_of(experiment, stage, settings, start, dataset, label=label, knowledge=knowledge, species=species, measured=measured)
        )
    return requests


def _expand_grid(experiment: Experiment, stage: GridStage, knowledge: Knowledge) -> list[RunRequest]:
    dataset, seeds = dataset_of(stage, knowledge), stage.seeds or (experiment.seed,)
    species = species_of(stage, dataset) or dataset.species
    requests: list[RunRequest] = []
    for seed in seeds:
        start = start_of(experiment, stage.source, knowledge, seed)
        base = replace(settings_of(experiment, stage, start, knowledge), seed=seed)
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
    experiment: Experiment, stage: GridStage, base: Settings, start: Start, *, knowledge: Knowledge, species: str, recipe: str
) -> RunRequest:
    own = stage.recipes[recipe]
    settings = overlaid(base, RECIPES[recipe] if own is None else own.changes, f"stages.{stage.name}.recipes.{recipe}")
    label, dataset = f"{species}, {recipe}", dataset_of(stage, knowledge)
    request = request_of(experiment, stage, settings, start, dataset, label=label, knowledge=knowledge, species=(species,))
    return replace(request, species=species, recipe=recipe)


def _expand_evaluate(experiment: Experiment, stage: EvaluateStage, knowledge: Knowledge) -> list[RunRequest]:
    dataset = dataset_of(stage, knowledge)
    origin = parse_origin(stage.source)
    settings = overlaid(experiment.base, {"evaluation": stage.evaluation}, f"stages.{stage.name}")
    evaluation = EvaluationSpec.of(settings.evaluation, dataset.version, species_of(stage, dataset))
    if origin.kind == "checkpoint":
        start = _outside(origin, knowledge)
        untrained = overlaid(settings, RECIPES["pre_trained"], f"stages.{stage.name}")
        sources = [request_of(experiment, stage, untrained, start, dataset, label=stage.name, knowledge=knowledge)]
    elif origin.kind == "best":
        sources = [best_request(experiment, origin.name, knowledge)]
    else:
        sources = _known(experiment, origin.name, knowledge)
    place = {"stage": stage.name, **asdict(stage_resources(experiment, stage))}
    own = {"evaluation": evaluation, "evaluation_data_uri": dataset.uri, "evaluate_every": None, **place}
    return [replace(source, **own) for source in sources]
