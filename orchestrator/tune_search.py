"""Ray Tune's side of a sweep: hands out trials as `search.propose` says, and skips what the ledger has already."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from ray.tune.search import Searcher

from orchestrator.knowledge import Outcome
from orchestrator.runs import RunRequest
from orchestrator.search import Axes, TrialResult, direction, number_of_trials, propose
from orchestrator.settings import Assignment
from orchestrator.spec import SearchSpec

Finished = Literal["FINISHED"]


class LedgerSearch(Searcher):  # type: ignore[misc]  # ray has no types
    """Proposes the runs of a sweep in the order of their index; the ledger is its only memory.

    A run that is over is fed in as a result and not started. A run that another trial computes at this moment
    (two indices may draw the same values) is waited for. Optuna's next batch waits for the batch before it.

    Args:
        axes: The axes of the sweep.
        search: Its algorithm.
        make_request: Makes the request of a trial from its index and values (`plan.sweep_request`).
        outcome: How a run ended, from the ledger; None while it is not over.
    """

    def __init__(
        self,
        axes: Axes,
        search: SearchSpec,
        make_request: Callable[[int, Assignment], RunRequest],
        outcome: Callable[[RunRequest], Outcome | None],
    ) -> None:
        super().__init__(metric=search.metric, mode=direction(search))
        self._axes, self._search, self._make_request, self._outcome = axes, search, make_request, outcome
        self._total, self._next = number_of_trials(axes, search), 0
        self._history: dict[int, TrialResult] = {}
        self._running: dict[str, RunRequest] = {}

    @property
    def history(self) -> list[TrialResult]:
        """The trials that are over, in the order of their index."""
        return [self._history[index] for index in sorted(self._history)]

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ARG002  (Tune's signature)
        """Accepts Tune's settings without using them: metric and mode are the search's own, `config` is common to all trials."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | Finished | None:
        """Returns the next run that has to be computed, None to be asked again later, or `FINISHED`."""
        while self._next < self._total:
            assignment = propose(self._axes, self._search, self._next, self.history)
            if assignment is None:
                return None
            request = self._make_request(self._next, assignment)
            if any(other.spec.id == request.spec.id for other in self._running.values()):
                return None
            self._next += 1
            outcome = self._outcome(request)
            if outcome is None:
                self._running[trial_id] = request
                return {"request": json.dumps(request.to_json())}
            self._record(request, outcome)
        finished: Finished = Searcher.FINISHED
        return finished

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT001, FBT002
        """Takes a trial's result from the ledger; one that is not there (its process died) counts as failed."""
        request = self._running.pop(trial_id, None)
        if request is not None:
            self._record(request, self._outcome(request) or _reported(result, error=error))

    def _record(self, request: RunRequest, outcome: Outcome) -> None:
        value = outcome.metrics.get(self._search.metric)
        self._history[request.index] = TrialResult(request.index, request.assignment, value)

    def save(self, checkpoint_path: str) -> None:
        """Writes only where it was, for people: a resumed search is rebuilt from the ledger."""
        Path(checkpoint_path).write_text(json.dumps({"next": self._next, "total": self._total}), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Reads nothing: the ledger is the memory."""


def _reported(result: Mapping[str, Any] | None, *, error: bool) -> Outcome:
    """What Tune says of a trial that an early-stopping rule ended before it wrote an evaluation."""
    metrics = {} if error or result is None else {name: float(value) for name, value in result.items() if isinstance(value, int | float)}
    return Outcome("failed" if error else "stopped", metrics)
