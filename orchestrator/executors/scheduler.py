"""What ends a trial before its run is over: an early-stopping rule, a person, or no place on the cluster.

Tune asks after every report, and looks here for the next trial to start.
"""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ray.tune import Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from orchestrator.executors.desk import Desk
from orchestrator.executors.failures import mishap_of
from orchestrator.executors.queue import RunQueue
from orchestrator.running.retrying import Mishap
from orchestrator.runs import RunRequest

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController

_FIRST_WORD_SECONDS = 30.0


class Rule(Protocol):
    """An early-stopping rule with a memory of its sweep."""

    def stops(self, request: RunRequest, step: int, metrics: dict[str, Any]) -> bool:
        """Takes a run's metrics at a rung and tells whether the run ends there."""


class RunScheduler(FIFOScheduler):  # type: ignore[misc]  # ray has no types
    """Ends trials for the reasons above; everything else is first come, first served.

    Args:
        queue: Knows which run a trial computes, and is told why one ends.
        desk: Where ends are written down.
        rule: The sweep's early-stopping rule, if it has one.
        placement_seconds: How long a trial may wait for its place.
        obstacle: Says why a run has no place at this moment; empty if its processes only have to start.
        tell: Gets a run's label and what it waits for.
        warm: How many idle processes Tune keeps for the next run; by itself it keeps one, and starts the others anew for each batch
            of a search.
    """

    def __init__(
        self,
        queue: RunQueue,
        desk: Desk,
        rule: Rule | None,
        *,
        placement_seconds: float,
        obstacle: Callable[[], str],
        tell: Callable[[str, str], None],
        warm: int = 0,
    ) -> None:
        super().__init__()
        self._warm = warm
        self._warmed: object = None
        self._queue, self._desk, self._rule = queue, desk, rule
        self._placement_seconds, self._obstacle, self._tell = placement_seconds, obstacle, tell
        self._waiting: dict[str, float] = {}
        self._told: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles it into a file that nobody reads back."""
        return {}

    def on_trial_add(self, tune_controller: "TuneController", trial: Trial) -> None:
        """Has Tune keep idle processes, for which it has no setting; if it changes inside, it only keeps fewer."""
        cache = getattr(tune_controller, "_actor_cache", None)
        if self._warm and cache is not None and cache is not self._warmed and hasattr(cache, "increase_max"):
            self._warmed = cache
            cache.increase_max(trial.placement_group_factory, by=self._warm)

    def on_trial_result(self, tune_controller: "TuneController", trial: Trial, result: dict[str, Any]) -> str:  # noqa: ARG002  (Tune's signature)
        """Decides after a report whether the run goes on."""
        handed, step = self._queue.handed(trial.trial_id), int(result.get("step", 0))
        decision: str = TrialScheduler.CONTINUE
        if handed is None or result.get("state") != "running":
            return decision
        if self._desk.is_cancelled(handed.request.spec.id):
            self._desk.cancel(handed.request)
            decision = TrialScheduler.STOP
        elif self._rule is not None and step in handed.request.rungs and self._rule.stops(handed.request, step, _metrics(result)):
            self._desk.stop(handed.request, step)
            decision = TrialScheduler.STOP
        return decision

    def on_trial_error(self, tune_controller: "TuneController", trial: Trial) -> None:  # noqa: ARG002  (Tune's signature)
        """Reads why a process died before Tune tells the queue that it did."""
        self._queue.failed(trial.trial_id, mishap_of(trial))

    def choose_trial_to_run(self, tune_controller: "TuneController") -> Trial | None:
        """Gives up what has waited for a place too long, then takes the first that waits."""
        now, waiting = time.monotonic(), [trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING]
        self._waiting = {trial.trial_id: self._waiting.get(trial.trial_id, now) for trial in waiting}
        for trial in waiting:
            self._judge_waiting(tune_controller, trial, now - self._waiting[trial.trial_id])
        return next((trial for trial in waiting if trial.status == Trial.PENDING), None)

    def _judge_waiting(self, tune_controller: "TuneController", trial: Trial, seconds: float) -> None:
        handed = self._queue.handed(trial.trial_id)
        if handed is None or seconds < min(_FIRST_WORD_SECONDS, self._placement_seconds):
            return
        reason = self._obstacle()
        if not reason:
            del self._waiting[trial.trial_id]  # it has its place, and its process is starting: the time begins anew if it loses it
        elif seconds >= self._placement_seconds:
            self._queue.failed(trial.trial_id, Mishap("unplaced", f"found no place in {seconds:.0f} s: {reason}"))
            tune_controller.stop_trial(trial)
        elif handed.request.spec.id not in self._told:
            self._told.add(handed.request.spec.id)
            self._tell(handed.request.label, f"for a place: {reason}")


class StopRequests(Stopper):  # type: ignore[misc]  # ray has no types
    """Ends all trials when a person or a failure says so.

    Args:
        queue: Knows whether that is so.
    """

    def __init__(self, queue: RunQueue) -> None:
        self._queue = queue

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles it into a file that nobody reads back."""
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002  (Tune's signature)
        """Ends no single trial."""
        return False

    def stop_all(self) -> bool:
        """Tells whether everything ends."""
        return self._queue.stops


def _metrics(result: dict[str, Any]) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads(result["metrics"])
    return metrics
