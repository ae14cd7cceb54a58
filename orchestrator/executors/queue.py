"""The queue of a stage: which run starts next, which is tried again, and which somebody else computes.

Ray Tune asks it for trials and tells it how they end. The ledger is its only memory: whoever starts it anew, on this
machine or another, goes on where the last one was.
"""

import heapq
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ray.tune.search import Searcher

from orchestrator.executors.desk import Desk
from orchestrator.experiment.failure_spec import FailureSpec
from orchestrator.planning.knowledge import Outcome
from orchestrator.running.retrying import Attempts, Mishap, retry_delay
from orchestrator.running.watching import Watch
from orchestrator.runs import RunRequest
from orchestrator.search.proposals import Proposals

Finished = Literal["FINISHED"]
_LOOK_SECONDS = 2.0


@dataclass
class Handed:
    """A run that was handed out.

    Attributes:
        request: The run.
        token: Of its lease.
        attempts: What it has behind it.
    """

    request: RunRequest
    token: str
    attempts: Attempts


@dataclass(order=True)
class _Again:
    due: float
    number: int
    handed: Handed = field(compare=False)


class RunQueue(Searcher):  # type: ignore[misc]  # ray has no types
    """Hands out what is missing, one run at a time.

    A run is leased before it is handed out, so that two orchestrators on one root share the work. One that another
    orchestrator computes is looked at again every few seconds, and taken over if that one dies. A process that died
    is replaced after a pause that grows; see `FailureSpec`.

    Args:
        proposals: What is to run, by index.
        desk: The ledger and people.
        policy: What to do about failures.
        watch: Gets the news.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        proposals: Proposals,
        desk: Desk,
        policy: FailureSpec,
        watch: Watch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(metric="step", mode="max")  # Tune wants some; results are read from the ledger
        self._proposals, self._desk, self._policy = proposals, desk, policy
        self._watch, self._clock = watch or Watch(), clock
        self._index, self._left, self._numbers = 0, 0, 0
        self._running: dict[str, Handed] = {}
        self._again: list[_Again] = []
        self._elsewhere: dict[str, RunRequest] = {}
        self._next_look = 0.0
        self._ready: Handed | None = None
        self._mishaps: dict[str, Mishap] = {}
        self._given_up: set[str] = set()
        self._has_failed = False

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles it into a file that nobody reads back; threads and terminals cannot be pickled."""
        return {}

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        everything = self._index >= self._proposals.total and not (self._again or self._elsewhere or self._ready)
        return not self._running and (everything or self.stops)

    @property
    def stops(self) -> bool:
        """Whether no further run is to begin, because a person or a mishap says so."""
        return (self._has_failed and self._policy.fail_fast) or self._desk.stops()

    @property
    def waits_for_others(self) -> list[RunRequest]:
        """Runs that another orchestrator computes at the moment."""
        return list(self._elsewhere.values())

    def open(self, limit: int) -> bool:
        """Lets the next Tuner ask for up to `limit` runs; it is told that there are no more after that.

        Returns:
            Whether there is a run to start at this moment; without one, a Tuner would only hold processes and their resources, which
            whoever is waited for may need.
        """
        self._left = limit
        if self._ready is None and not self.stops:
            self._ready = self._next()
        return self._ready is not None

    def handed(self, trial: str) -> Handed | None:
        """Returns the run that a trial computes."""
        return self._running.get(trial)

    def close(self) -> None:
        """Takes back what is still handed out after a Tuner has ended: one that is stopped, or breaks down, ends trials without a word."""
        for handed in self._running.values():
            if self.stops:
                self._desk.release(handed.request.spec.id)
                self._watch.run_ended(handed.request.label, "running", None)
            else:
                self._put_back(handed, 0.0)
        self._running.clear()

    def _put_back(self, handed: Handed, pause: float) -> None:
        self._numbers += 1
        heapq.heappush(self._again, _Again(self._clock() + pause, self._numbers, handed))

    # what Tune calls

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ARG002  (Tune's signature)
        """Accepts Tune's settings without using them."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | Finished | None:
        """Returns the next run that has to be computed, None to be asked again later, or `FINISHED`."""
        found, self._ready = self._ready, None
        if found is None and self._left > 0 and not self.stops:
            found = self._next()
        if found is not None:
            self._left -= 1
            self._running[trial_id] = found
            self._watch.run_started(found.request.label, found.request.spec.id, found.request.spec.training.steps)
            return {"request": json.dumps(found.request.to_json()), "token": found.token, "attempt": found.attempts.total}
        if self.stops or not self._running:
            finished: Finished = Searcher.FINISHED
            return finished
        return None

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Takes note of a trial's end; what it came to is in the ledger."""
        handed, mishap = self._running.pop(trial_id, None), self._mishaps.pop(trial_id, None)
        if handed is None:
            return
        if mishap is None and error:
            mishap = Mishap("crash", "its process died")
        if mishap is None:
            self._ended(handed)
        else:
            self._retry_or_give_up(handed, mishap)

    def save(self, checkpoint_path: str) -> None:
        """Writes nothing: the ledger is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Reads nothing: the ledger is the memory."""

    # what the scheduler says

    def failed(self, trial: str, mishap: Mishap) -> None:
        """Notes why a trial is about to end; `on_trial_complete` follows."""
        self._mishaps[trial] = mishap

    # inside

    def _ended(self, handed: Handed) -> None:
        """A trial ended without an error: its run is over, was stopped on purpose, or was taken over by somebody else."""
        request, run = handed.request, handed.request.spec.id
        outcome = self._desk.outcome(request)
        if outcome is None and not self._desk.holds(run):
            self._elsewhere[run] = request
            self._desk.release(run)
            self._watch.run_waits(request.label, "another orchestrator took it over")
            return
        if outcome is None and not self.stops:
            self._retry_or_give_up(handed, Mishap("crash", "its process ended without a result"))
            return
        state, status = outcome.state if outcome else "running", self._desk.status(run)
        if state == "failed":
            self._give_up(run)
        self._desk.release(run)
        self._watch.run_ended(request.label, state, status.error if status else None)

    def _give_up(self, run: str) -> None:
        self._has_failed = True
        self._given_up.add(run)

    def _retry_or_give_up(self, handed: Handed, mishap: Mishap) -> None:
        status = self._desk.status(handed.request.spec.id)
        attempts = handed.attempts.after(mishap, status.step if status else 0, self._policy.retries)
        delay = retry_delay(attempts, mishap, self._policy)
        self._desk.note_mishap(handed.request, mishap, final=delay is None)
        self._watch.run_mishap(handed.request.label, mishap.kind, final=delay is None)
        if delay is None:
            self._give_up(handed.request.spec.id)
            self._desk.release(handed.request.spec.id)
            self._watch.run_ended(handed.request.label, "failed", mishap.sentence)
            return
        self._watch.run_retried(handed.request.label, attempts.total + 1, f"{mishap.sentence}; tried again in {delay:.0f} s")
        self._put_back(Handed(handed.request, handed.token, attempts), delay)

    def _next(self) -> Handed | None:
        """Finds a run to start: one whose pause is over, one that another orchestrator left behind, or a new one."""
        if self._again and self._again[0].due <= self._clock():
            return heapq.heappop(self._again).handed
        return self._left_behind() or self._new()

    def _left_behind(self) -> Handed | None:
        if not self._elsewhere or self._clock() < self._next_look:
            return None
        for run, request in list(self._elsewhere.items()):
            if self._desk.outcome(request) is not None or self._desk.is_cancelled(run):
                del self._elsewhere[run]
                continue
            token = self._desk.claim(run)
            if token is not None:
                del self._elsewhere[run]
                return self._begun(request, token)
        self._next_look = self._clock() + _LOOK_SECONDS
        return None

    def _new(self) -> Handed | None:
        while self._index < self._proposals.total:
            request = self._proposals.request(self._index, self._outcome)
            if request is None:
                return None  # it depends on results that are being computed
            self._index += 1
            run = request.spec.id
            if run in self._given_up or self._is_open(run):
                continue
            if self._desk.is_cancelled(run):
                self._desk.cancel(request)
                continue
            outcome = self._desk.outcome(request)
            if outcome is not None and (outcome.state != "failed" or self._proposals.is_settled(self._index - 1, self._outcome)):
                continue
            token = self._desk.claim(run)
            if token is None:
                self._elsewhere[run] = request
                self._watch.run_waits(request.label, "another orchestrator computes it")
                continue
            return self._begun(request, token)
        return None

    def _begun(self, request: RunRequest, token: str) -> Handed:
        status = self._desk.status(request.spec.id)
        return Handed(request, token, Attempts(total=status.attempts, step=status.step) if status else Attempts())

    def _outcome(self, request: RunRequest) -> Outcome | None:
        """What proposals build on: a run that is tried again has no outcome yet, whatever the last attempt left in the ledger."""
        return None if self._is_open(request.spec.id) else self._desk.outcome(request)

    def _is_open(self, run: str) -> bool:
        """Tells whether a run is being computed here or elsewhere; two trials may draw the same values, which is one run."""
        return (
            run in self._elsewhere
            or any(handed.request.spec.id == run for handed in self._running.values())
            or any(entry.handed.request.spec.id == run for entry in self._again)
            or (self._ready is not None and self._ready.request.spec.id == run)
        )
