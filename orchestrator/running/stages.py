"""Computes what a stage lacks, and writes down which runs it consists of."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from g3dr.errors import ConfigError
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.spec import AnyStage, SweepStage
from orchestrator.ledger import RunStatus
from orchestrator.planning.capacity import Resources, concurrency, resources_of
from orchestrator.planning.choice import objectives_of
from orchestrator.planning.expand import WaitError, expand_stage, stage_choice
from orchestrator.planning.expand_sweep import sweep_proposals
from orchestrator.planning.expense import Estimate
from orchestrator.planning.knowledge import Deferred, Expansion
from orchestrator.planning.staffing import stage_resources
from orchestrator.running.desk import LedgerDesk
from orchestrator.running.watching import Goal, Watch
from orchestrator.runs import RunRequest
from orchestrator.search import StoppingRule, history_of

if TYPE_CHECKING:
    from orchestrator.executors.tuning import Work
    from orchestrator.running.execution import Execution


class StageRunner:
    """Runs the stages of an execution.

    Args:
        execution: Experiment, ledger, capacity and watch.
        desk: Leases, outcomes, and what people ask for.
    """

    def __init__(self, execution: "Execution", desk: LedgerDesk) -> None:
        self._execution, self._desk = execution, desk
        self._experiment, self._ledger = execution.experiment, execution.ledger

    def run(self, stage: AnyStage) -> list[str]:
        """Computes what is missing of `stage` and records it; returns one sentence per failed run.

        Raises:
            ExperimentError: The stage needs a result that does not exist.
        """
        started = time.monotonic()
        expansion = self._expand(stage)
        requests = expansion.requests if isinstance(expansion, Deferred) else tuple(expansion)
        self._execution.outcomes.prefetch(requests)
        pending = [request for request in requests if not self._execution.is_finished(request)]
        if pending or isinstance(expansion, Deferred):
            more = expansion.count or 0 if isinstance(expansion, Deferred) else 0
            self._watch.stage_started(stage.name, stage.kind, len(requests) + more, len(requests) - len(pending))
            self._tell_goal(stage, requests)
            self._watch.stage_estimated(self._execution.estimates.get(stage.name, Estimate()))
            self._record(stage, requests, 0.0)
            self._compute(stage, list(requests) if isinstance(stage, SweepStage) else pending)
            self._watch.stage_ended(stage.name, time.monotonic() - started)
            requests = tuple(self._known(stage))
            self._record(stage, requests, time.monotonic() - started)
            self._desk.tidy(at_once=True)
        elif self._recorded_runs(stage) != [request.spec.id for request in requests]:
            self._record(stage, requests, 0.0)
        return self._failures(requests)

    @property
    def _watch(self) -> Watch:
        return self._execution.watch

    def _tell_goal(self, stage: AnyStage, requests: Sequence[RunRequest]) -> None:
        """Says what makes a run of the stage the best, and the best one so far."""
        goals = objectives_of(stage)
        if not goals:
            return
        metric, mode = goals[0].metric, goals[0].direction
        known = [(request.label, self._execution.outcome(request)) for request in requests]
        values = {label: outcome.metrics[metric] for label, outcome in known if outcome and metric in outcome.metrics}
        best = (min if mode == "min" else max)(values, key=lambda label: values[label], default="")
        self._watch.stage_goal(Goal(metric, mode, best, values.get(best)))

    def _recorded_runs(self, stage: AnyStage) -> list[str]:
        record = self._ledger.stage(self._experiment.name, stage.name) or {}
        return [entry["run"] for entry in record.get("runs", [])]

    def _expand(self, stage: AnyStage) -> Expansion:
        expansion = expand_stage(self._experiment, stage, self._execution.knowledge())
        if isinstance(expansion, Deferred) and not _proposes(stage):
            raise ExperimentError(self._experiment.name, [ConfigError(f"stages.{stage.name}", expansion.reason, "results that exist")])
        return expansion

    def _known(self, stage: AnyStage) -> list[RunRequest]:
        expansion = expand_stage(self._experiment, stage, self._execution.knowledge())
        return list(expansion.requests) if isinstance(expansion, Deferred) else expansion

    def _compute(self, stage: AnyStage, pending: list[RunRequest]) -> None:
        from orchestrator.executors.tuning import compute  # noqa: PLC0415  (brings ray.tune)

        for work in self._works(stage, pending):
            compute(work, self._desk, root=self._ledger.store, policy=self._execution.policy, watch=self._watch)

    def _works(self, stage: AnyStage, pending: list[RunRequest]) -> "list[Work]":
        """A sweep's runs come from its proposals; others are all known, and those that want the same resources go together."""
        from orchestrator.executors.listed import ListedRuns  # noqa: PLC0415
        from orchestrator.executors.tuning import Work  # noqa: PLC0415

        capacity = self._execution.capacity
        if isinstance(stage, SweepStage):
            resources = stage_resources(self._experiment, stage)
            proposals = sweep_proposals(self._experiment, stage, self._execution.knowledge())
            return [Work(proposals, resources, max(1, concurrency(resources, capacity)), capacity.grows, self._rule(stage, pending))]
        groups: dict[Resources, list[RunRequest]] = {}
        for request in map(placed, pending):
            groups.setdefault(resources_of(request), []).append(request)
        return [
            Work(ListedRuns(runs), resources, max(1, concurrency(resources, capacity)), capacity.grows)
            for resources, runs in groups.items()
        ]

    def _rule(self, stage: SweepStage, known: list[RunRequest]) -> StoppingRule | None:
        """Returns the sweep's early-stopping rule, with all that the ledger knows of earlier attempts."""
        rule = stage.search.stopping
        if rule is None:
            return None
        goal = stage.search.goals[0]
        return StoppingRule(rule, goal.metric, goal.direction, history_of(known, self._ledger.metrics, goal.metric))

    def _failures(self, requests: Sequence[RunRequest]) -> list[str]:
        """Returns one sentence for each run that did not end as it should; one that a person cancelled did."""
        statuses = self._ledger.statuses([request.spec.id for request in requests])
        found = (self._failure(request, statuses.get(request.spec.id)) for request in requests)
        return [sentence for sentence in found if sentence]

    def _failure(self, request: RunRequest, status: RunStatus | None) -> str | None:
        if status is None or status.state == "running":
            return f"{request.label}: did not finish (its process died or was stopped)"
        if status.state == "failed":
            return f"{request.label}: {status.error}"
        return None if self._execution.is_finished(request) else f"{request.label}: has no evaluation"

    def _record(self, stage: AnyStage, requests: Sequence[RunRequest], seconds: float) -> None:
        before = self._ledger.stage(self._experiment.name, stage.name)
        statuses = self._ledger.statuses([request.spec.id for request in requests])
        runs = [_entry(request, statuses.get(request.spec.id)) for request in requests]
        record = {
            "name": stage.name,
            "kind": stage.kind,
            "seconds": seconds + seconds_before(before, runs),
            "runs": runs,
            **self._choice(stage),
        }
        self._ledger.write_stage(self._experiment.name, stage.name, record)

    def _choice(self, stage: AnyStage) -> dict[str, Any]:
        """What the stage found; nothing while a run is missing, because a process died for good."""
        goals = objectives_of(stage)
        nothing = {"best": None, "metric": goals[0].metric if goals else None, "mode": goals[0].direction if goals else None}
        try:
            choice = stage_choice(self._experiment, stage, self._execution.knowledge())
        except (ExperimentError, WaitError):
            return nothing
        return nothing if choice is None else choice.to_json()


def _entry(request: RunRequest, status: RunStatus | None) -> dict[str, Any]:
    return {
        "run": request.spec.id,
        "evaluation": request.measurement or None,
        "label": request.label,
        "assignment": dict(request.assignment),
        "species": request.species,
        "recipe": request.recipe,
        "seed": request.spec.seed,
        "state": status.state if status else "missing",
    }


def seconds_before(record: Mapping[str, Any] | None, runs: Sequence[Mapping[str, Any]]) -> float:
    """Returns what an earlier try of a stage took that this one went on from; 0 if it computed something else."""
    if record is None or not {entry["run"] for entry in record["runs"]} <= {entry["run"] for entry in runs}:
        return 0.0
    return float(record.get("seconds", 0.0))


def _proposes(stage: AnyStage) -> bool:
    """Tells whether a stage's runs depend on each other's results."""
    return isinstance(stage, SweepStage) and stage.search.learns


def placed(request: RunRequest) -> RunRequest:
    """Returns a request with what it really needs: what is only measured, and not trained, needs no second worker."""
    return replace(request, workers=1, min_workers=None) if request.spec.training.steps == 0 else request
