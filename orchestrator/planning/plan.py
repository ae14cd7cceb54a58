"""The plan: what an experiment will run, what of it is done or shared, how long it takes, what it costs, and whether it fits.

A pure function of the experiment and of what is known. `g3dr plan` prints it, `g3dr run` refuses what does not fit before anything starts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.experiment.spec import AnyStage, Experiment, SweepStage
from orchestrator.planning.capacity import Capacity, Resources, concurrency, infeasible
from orchestrator.planning.estimates import Job, Measurements, StageTime, stage_time
from orchestrator.planning.expand import best_request, expand_stage
from orchestrator.planning.guessing import Guesses
from orchestrator.planning.knowledge import DatasetInfo, Deferred, Expansion, Knowledge, Outcome
from orchestrator.planning.plan_records import InfeasibleError, Plan, StagePlan
from orchestrator.planning.prices import Prices, cost_of, rent_of
from orchestrator.planning.staffing import stage_resources
from orchestrator.planning.work import work_of
from orchestrator.runs import RunRequest

__all__ = [
    "Capacity",
    "DatasetInfo",
    "Deferred",
    "Evidence",
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
]


def _nothing_measured(_: Sequence[RunRequest]) -> Measurements:
    return Measurements()


@dataclass(frozen=True)
class Evidence:
    """What a plan says about time, money and others rests on this; without it the plan says nothing about them.

    Attributes:
        measurements: Looks up what is known of the times of these runs.
        askers: Stages of other experiments that asked for a run, by its id.
        prices: Prices of machines.
        machine: Kind of machine for a number of GPUs of a worker; None where it is not known.
    """

    measurements: Callable[[Sequence[RunRequest]], Measurements] = _nothing_measured
    askers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prices: Prices | None = None
    machine: Callable[[float], str | None] = lambda _: None


@dataclass(frozen=True)
class _Draft:
    """A stage of which all is known but time and money."""

    plan: StagePlan
    jobs: tuple[Job, ...] | None


def make_plan(
    experiment: Experiment,
    knowledge: Knowledge,
    is_finished: Callable[[RunRequest], bool],
    capacity: Capacity,
    evidence: Evidence | None = None,
) -> Plan:
    """Plans all stages.

    Args:
        experiment: The experiment.
        knowledge: Data sets and results so far.
        is_finished: Tells whether a run, with its evaluation, is in the ledger.
        capacity: The cluster.
        evidence: What time and cost are estimated from.

    Raises:
        ExperimentError: A stage does not fit its data set, or has nothing to start from.
    """
    evidence, knowledge = evidence or Evidence(), knowledge.remembering()
    drafts = _drafts(experiment, knowledge, is_finished, capacity, evidence.askers)
    known = evidence.measurements([job.request for draft in drafts for job in draft.jobs or ()])
    stages = tuple(_timed(draft, known, evidence) for draft in drafts)
    gpus = max(stage.resources.gpus_per_worker for stage in stages)
    currency = evidence.prices.currency if evidence.prices else ""
    return Plan(experiment.name, experiment.description, experiment.root, capacity, stages, evidence.machine(gpus) or "", currency)


def _drafts(
    experiment: Experiment,
    knowledge: Knowledge,
    is_finished: Callable[[RunRequest], bool],
    capacity: Capacity,
    askers: Mapping[str, tuple[str, ...]],
) -> list[_Draft]:
    guesses, drafts = Guesses(experiment, knowledge), list[_Draft]()
    trained: dict[str, str] = {}
    for stage in experiment.stages:
        expansion = expand_stage(experiment, stage, knowledge)
        likely = guesses.expand(stage, expansion)
        drafts.append(_draft(experiment, stage, _Found(expansion, likely), is_finished, capacity=capacity, trained=trained, askers=askers))
        for request in _named(likely):
            trained.setdefault(request.spec.id, stage.name)
    return drafts


@dataclass(frozen=True)
class _Found:
    """A stage's runs as they are known, and as they will likely be."""

    known: Expansion
    likely: Expansion


def _named(expansion: Expansion) -> Sequence[RunRequest]:
    return expansion.requests if isinstance(expansion, Deferred) else expansion


def _draft(
    experiment: Experiment,
    stage: AnyStage,
    found: _Found,
    is_finished: Callable[[RunRequest], bool],
    *,
    capacity: Capacity,
    trained: Mapping[str, str],
    askers: Mapping[str, tuple[str, ...]],
) -> _Draft:
    requests, resources = tuple(_named(found.known)), stage_resources(experiment, stage)
    done = {id(request) for request in requests if is_finished(request)}
    runs = _runs(found.likely) if _runs(found.known) is None or not requests else _runs(found.known)
    pending = [
        request for request in _named(found.likely) if id(request) not in done and (found.likely is found.known or not is_finished(request))
    ]
    jobs = _jobs(pending, trained, unnamed=found.likely.count if isinstance(found.likely, Deferred) else 0)
    plan = StagePlan(
        name=stage.name,
        kind=stage.kind,
        data=stage.data,
        source=stage.source or "",
        requests=requests,
        runs=runs,
        finished=len(done),
        steps=_steps(stage, jobs),
        waits_for=found.known.reason if isinstance(found.known, Deferred) else "",
        executor=resources.executor,
        resources=resources,
        concurrency=_at_once(stage, concurrency(resources, capacity), runs),
        infeasible=infeasible(stage.name, resources, capacity) or "" if jobs != () else "",
        shared=_shared(stage, requests, trained, askers),
    )
    return _Draft(plan, jobs)


def _runs(expansion: Expansion) -> int | None:
    if not isinstance(expansion, Deferred):
        return len(expansion)
    return None if expansion.count is None else len(expansion.requests) + expansion.count


def _jobs(pending: Iterable[RunRequest], trained: Mapping[str, str], unnamed: int | None) -> tuple[Job, ...] | None:
    """Returns what is left to do, equal work together; runs without a name count as ones like the last that has one."""
    jobs: dict[tuple[str, int, int], Job] = {}
    last = None
    for request in pending:
        steps, work = 0 if request.spec.id in trained else request.spec.training.steps, work_of(request)
        last = (work.id, work.images, steps)
        before = jobs.get(last, Job(request, steps, 0))
        jobs[last] = replace(before, count=before.count + 1)
    if unnamed is None or (unnamed and last is None):
        return None
    if last is not None and unnamed:
        jobs[last] = replace(jobs[last], count=jobs[last].count + unnamed)
    return tuple(jobs.values())


def _steps(stage: AnyStage, jobs: Sequence[Job] | None) -> int | None:
    if stage.kind == "evaluate":
        return 0
    return None if jobs is None else sum(job.steps * job.count for job in jobs)


def _shared(
    stage: AnyStage, requests: Sequence[RunRequest], trained: Mapping[str, str], askers: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """An evaluation measures the runs of another stage: that is what it is for, and no news."""
    own = {} if stage.kind == "evaluate" else trained
    others = {
        request.spec.id: (*((own[request.spec.id],) if request.spec.id in own else ()), *askers.get(request.spec.id, ()))
        for request in requests
    }
    return {run: names for run, names in others.items() if names}


def _at_once(stage: AnyStage, fits: int, runs: int | None) -> int:
    """No more than there are; and no more than one wave of a search that learns, whose next wave waits for it."""
    limits = [fits] if runs is None else [fits, runs]
    if isinstance(stage, SweepStage) and stage.search.wave is not None:
        limits.append(stage.search.wave * len(stage.seeds or (0,)))
    return min(limits)


def _timed(draft: _Draft, known: Measurements, evidence: Evidence) -> StagePlan:
    plan = draft.plan
    time = StageTime() if draft.jobs is None else stage_time(draft.jobs, plan.concurrency, plan.executor, known)
    if evidence.prices is None:
        return replace(plan, time=time)
    machine, at_once = evidence.machine(plan.resources.gpus_per_worker), max(1, plan.concurrency)
    rent = rent_of(evidence.prices, plan.resources, at_once, machine)
    if time.seconds is None:
        return replace(plan, time=time, rent=rent)
    return replace(plan, time=time, cost=cost_of(evidence.prices, time.seconds, plan.resources, at_once, machine), rent=rent)
