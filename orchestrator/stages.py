"""Computes what a stage lacks, and writes down which runs it consists of."""

import time
from typing import TYPE_CHECKING, Any

from g3dr.errors import ConfigError
from orchestrator.capacity import concurrency
from orchestrator.expand import best_request, expand_stage, stage_resources, sweep_request
from orchestrator.knowledge import Deferred, Expansion
from orchestrator.problems import ExperimentError
from orchestrator.runs import RunRequest
from orchestrator.scores import mode_of
from orchestrator.search import direction, number_of_trials
from orchestrator.spec import AnyStage, SweepStage

if TYPE_CHECKING:
    from orchestrator.execution import Execution
    from orchestrator.tune_search import LedgerSearch


class StageRunner:
    """Runs the stages of an execution.

    Args:
        execution: Experiment, ledger, capacity and watch.
    """

    def __init__(self, execution: "Execution") -> None:
        self._execution = execution
        self._experiment, self._ledger, self._watch = execution.experiment, execution.ledger, execution.watch

    def run(self, stage: AnyStage) -> list[str]:
        """Computes what is missing of `stage` and records it; returns one sentence per failed run.

        Raises:
            ExperimentError: The stage needs a result that does not exist.
        """
        started = time.monotonic()
        expansion = self._expand(stage)
        requests = expansion.requests if isinstance(expansion, Deferred) else tuple(expansion)
        pending = [request for request in requests if not self._execution.is_finished(request)]
        if pending or isinstance(expansion, Deferred):
            more = expansion.count or 0 if isinstance(expansion, Deferred) else 0
            self._watch.stage_started(stage.name, stage.kind, len(requests) + more, len(requests) - len(pending))
            self._compute(stage, expansion, pending)
            self._watch.stage_ended(stage.name, time.monotonic() - started)
            requests = tuple(self._known(stage))
            self._record(stage, requests, time.monotonic() - started)
        elif self._recorded_runs(stage) != [request.spec.id for request in requests]:
            self._record(stage, requests, 0.0)
        return [sentence for request in requests if (sentence := self._failure(request))]

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

    def _compute(self, stage: AnyStage, expansion: Expansion, pending: list[RunRequest]) -> None:
        """Computes the runs that are known, then those that a search proposes one after the other."""
        from orchestrator.executors.tuning import Work, compute, early_stopping  # noqa: PLC0415  (brings ray.tune)

        scheduler = early_stopping(stage) if isinstance(stage, SweepStage) else None
        works = [Work(requests=pending, scheduler=scheduler)] if pending else []
        if isinstance(expansion, Deferred) and isinstance(stage, SweepStage):
            works.append(Work(searcher=self._searcher(stage), proposals=number_of_trials(stage.axes, stage.search), scheduler=scheduler))
        resources = stage_resources(self._experiment, stage)
        at_once = max(1, concurrency(resources, self._execution.capacity))
        for work in works:
            compute(work, ledger=self._ledger, resources=resources, concurrency=at_once, watch=self._watch)

    def _searcher(self, stage: SweepStage) -> "LedgerSearch":
        from orchestrator.tune_search import LedgerSearch  # noqa: PLC0415

        make = sweep_request(self._experiment, stage, self._execution.knowledge())
        return LedgerSearch(stage.axes, stage.search, make, self._execution.outcome)

    def _failure(self, request: RunRequest) -> str | None:
        status = self._ledger.status(request.spec.id)
        if status is None or status.state == "running":
            return f"{request.label}: did not finish (its process died or was stopped)"
        if status.state == "failed":
            return f"{request.label}: {status.error}"
        return None if self._execution.is_finished(request) else f"{request.label}: has no evaluation"

    def _record(self, stage: AnyStage, requests: tuple[RunRequest, ...], seconds: float) -> None:
        before = self._ledger.stage(self._experiment.name, stage.name) or {}
        metric = stage.search.metric if isinstance(stage, SweepStage) else getattr(stage, "metric", None)
        mode = direction(stage.search) if isinstance(stage, SweepStage) else mode_of(metric) if metric else None
        record = {
            "name": stage.name,
            "kind": stage.kind,
            "seconds": float(before.get("seconds", 0.0)) + seconds,
            "runs": [self._entry(request) for request in requests],
            "best": self._best(stage, metric),
            "metric": metric,
            "mode": mode,
        }
        self._ledger.write_stage(self._experiment.name, stage.name, record)

    def _entry(self, request: RunRequest) -> dict[str, Any]:
        status = self._ledger.status(request.spec.id)
        return {
            "run": request.spec.id,
            "evaluation": request.evaluation.id if request.evaluation else None,
            "label": request.label,
            "assignment": dict(request.assignment),
            "species": request.species,
            "recipe": request.recipe,
            "seed": request.spec.seed,
            "state": status.state if status else "missing",
        }

    def _best(self, stage: AnyStage, metric: str | None) -> str | None:
        if metric is None:
            return None
        outcomes = [self._execution.outcome(request) for request in self._known(stage)]
        if any(outcome is None for outcome in outcomes):
            return None  # a process died for good; the stage has no best until it is run again
        try:
            return best_request(self._experiment, stage.name, self._execution.knowledge()).spec.id
        except ExperimentError:
            return None


def _proposes(stage: AnyStage) -> bool:
    """Tells whether a stage's runs depend on each other's results."""
    return isinstance(stage, SweepStage) and stage.search.algorithm == "optuna"
