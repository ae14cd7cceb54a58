"""The plan: what an experiment will run, what of it is done already, where it runs, and whether it fits.

A pure function. `g3dr plan` prints it, `g3dr run` refuses what does not fit before anything starts.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from g3dr.errors import G3drError
from g3dr.procedural import species_name
from orchestrator.capacity import Capacity, Executor, Resources, concurrency, infeasible
from orchestrator.expand import best_request, expand_stage, stage_resources, sweep_request
from orchestrator.knowledge import DatasetInfo, Deferred, Expansion, Knowledge, Outcome
from orchestrator.runs import RunRequest
from orchestrator.spec import AnyStage, Experiment, SweepStage

__all__ = [
    "Capacity",
    "DatasetInfo",
    "Deferred",
    "Expansion",
    "InfeasibleError",
    "Knowledge",
    "Outcome",
    "Plan",
    "Resources",
    "StagePlan",
    "best_request",
    "expand_stage",
    "make_plan",
    "stage_resources",
    "sweep_request",
]


class InfeasibleError(G3drError):
    """The cluster is too small for a stage."""


@dataclass(frozen=True)
class StagePlan:
    """One stage of a plan.

    Attributes:
        name: The stage.
        kind: train, sweep, grid or evaluate.
        data: Its data set.
        source: What it starts from, as the file says it; empty for random weights.
        requests: Runs that are known by name.
        runs: How many it has in all; None if that is not known yet.
        finished: How many of them are in the ledger.
        steps: Optimizer steps of its unfinished runs; None if that is not known yet.
        waits_for: Why some runs cannot be named yet; empty if all can.
        executor: How its runs are computed.
        resources: What each run gets.
        concurrency: Runs at a time.
        infeasible: Why it cannot run on this cluster; empty if it can.
    """

    name: str
    kind: str
    data: str
    source: str
    requests: tuple[RunRequest, ...]
    runs: int | None
    finished: int
    steps: int | None
    waits_for: str
    executor: Executor
    resources: Resources
    concurrency: int
    infeasible: str

    @property
    def new(self) -> int | None:
        """Runs that are still to do."""
        return None if self.runs is None else self.runs - self.finished


@dataclass(frozen=True)
class Plan:
    """All stages of an experiment.

    Attributes:
        experiment: Its name.
        description: Its sentence.
        root: Where everything is kept.
        capacity: The cluster that it was planned for.
        stages: In the order in which they run.
    """

    experiment: str
    description: str
    root: str
    capacity: Capacity
    stages: tuple[StagePlan, ...]

    COLUMNS = ("stage", "kind", "data", "from", "runs", "done", "new", "steps", "runs on", "at once")

    def table(self) -> list[tuple[str, ...]]:
        """Returns one row of texts per stage, for `COLUMNS`."""
        return [_row(stage) for stage in self.stages]

    def check(self) -> None:
        """Refuses a plan that does not fit.

        Raises:
            InfeasibleError: With one sentence per stage that asks for more than there is.
        """
        problems = [stage.infeasible for stage in self.stages if stage.infeasible]
        if problems:
            raise InfeasibleError("\n".join(problems))

    def to_json(self) -> dict[str, Any]:
        """Returns the plan for programs; runs by their id and label."""
        return {
            "experiment": self.experiment,
            "description": self.description,
            "root": self.root,
            "capacity": asdict(self.capacity),
            "stages": [_stage_to_json(stage) for stage in self.stages],
        }


def _row(stage: StagePlan) -> tuple[str, ...]:
    resources = stage.resources
    where = stage.executor if resources.workers == 1 else f"{stage.executor}, {resources.workers} workers"
    each = f"{resources.cpus_per_worker:g} CPU" + (f" + {resources.gpus_per_worker:g} GPU" if resources.gpus_per_worker else "")
    numbers = (_count(stage.runs), str(stage.finished), _count(stage.new), "?" if stage.steps is None else f"{stage.steps:,}")
    return (stage.name, stage.kind, stage.data, stage.source or "-", *numbers, f"{where}, {each} each", str(stage.concurrency))


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)


def _stage_to_json(stage: StagePlan) -> dict[str, Any]:
    plain = {name: getattr(stage, name) for name in ("name", "kind", "data", "source", "runs", "finished", "new", "steps", "waits_for")}
    requests = [
        {"run": request.spec.id, "evaluation": request.evaluation.id if request.evaluation else None, "label": request.label}
        for request in stage.requests
    ]
    placed = {
        "executor": stage.executor,
        "resources": asdict(stage.resources),
        "concurrency": stage.concurrency,
        "infeasible": stage.infeasible,
    }
    return {**plain, **placed, "requests": requests}


def make_plan(experiment: Experiment, knowledge: Knowledge, is_finished: Callable[[RunRequest], bool], capacity: Capacity) -> Plan:
    """Plans all stages.

    Args:
        experiment: The experiment.
        knowledge: Data sets and results so far.
        is_finished: Tells whether a run, with its evaluation, is in the ledger.
        capacity: The cluster.

    Raises:
        ExperimentError: A stage does not fit its data set, or has nothing to start from.
    """
    stages = tuple(_plan_stage(experiment, stage, knowledge, is_finished, capacity) for stage in experiment.stages)
    return Plan(experiment.name, experiment.description, experiment.root, capacity, stages)


def _plan_stage(
    experiment: Experiment, stage: AnyStage, knowledge: Knowledge, is_finished: Callable[[RunRequest], bool], capacity: Capacity
) -> StagePlan:
    expansion = expand_stage(experiment, stage, knowledge)
    deferred = expansion if isinstance(expansion, Deferred) else Deferred(0, "", tuple(expansion))
    likely = expand_stage(experiment, stage, _provisional(experiment, knowledge)) if deferred.reason else expansion
    runs = _runs(deferred if isinstance(likely, Deferred) else Deferred(0, "", tuple(likely)))
    resources = stage_resources(experiment, stage)
    return StagePlan(
        name=stage.name,
        kind=stage.kind,
        data=stage.data,
        source=stage.source or "",
        requests=deferred.requests,
        runs=runs,
        finished=sum(is_finished(request) for request in deferred.requests),
        steps=0 if stage.kind == "evaluate" else _steps(likely, is_finished),
        waits_for=deferred.reason,
        executor=resources.executor,
        resources=resources,
        concurrency=_at_once(stage, concurrency(resources, capacity), runs),
        infeasible=infeasible(stage.name, resources, capacity) or "",
    )


def _runs(expansion: Deferred) -> int | None:
    return None if expansion.count is None else len(expansion.requests) + expansion.count


def _steps(expansion: Expansion, is_finished: Callable[[RunRequest], bool]) -> int | None:
    if isinstance(expansion, Deferred):
        return None
    return sum(request.spec.training.steps for request in expansion if not is_finished(request))


def _provisional(experiment: Experiment, knowledge: Knowledge) -> Knowledge:
    """Pretends that procedural data is packed, so that a first plan can say how many steps there are."""
    datasets = dict(knowledge.datasets)
    for name, data in experiment.data.items():
        if datasets.get(name) is None and data.procedural is not None:
            species = tuple(species_name(index, data.procedural.seed) for index in data.procedural.species)
            datasets[name] = DatasetInfo(name, f"not packed: {data.procedural}", species)
    return replace(knowledge, datasets=datasets)


def _at_once(stage: AnyStage, fits: int, runs: int | None) -> int:
    """No more than there are; and no more than one batch of Optuna, whose next batch waits for it."""
    limits = [fits] if runs is None else [fits, runs]
    if isinstance(stage, SweepStage) and stage.search.algorithm == "optuna":
        limits.append(stage.search.batch)
    return min(limits)
