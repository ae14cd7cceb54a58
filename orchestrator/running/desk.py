"""What a queue of runs asks of the ledger and of people: who may compute what, how it ended, who wants it to stop.

A store that is away for a while stops nothing: questions wait for it, and nobody is told to stop meanwhile.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from orchestrator.ledger import LeaseKeeper, Ledger, RunStatus
from orchestrator.planning.knowledge import Outcome
from orchestrator.running.control import Control, Requests
from orchestrator.running.outcomes import Outcomes
from orchestrator.running.retrying import Mishap
from orchestrator.running.tidying import Tidier
from orchestrator.runs import RunRequest
from orchestrator.store import StoreAwayError

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
_POLL_SECONDS = 2.0
_LONGEST_OUTAGE_SECONDS = 1800.0
_PAUSE_SECONDS = 5.0


class LedgerDesk:
    """The `executors.desk.Desk` of a running experiment.

    Args:
        experiment: Its name.
        ledger: Where runs are kept.
        outcomes: How runs ended.
        keeper: Holds the leases.
        control: What people ask for.
        tidier: Keeps storage within its budget.
    """

    def __init__(
        self,
        experiment: str,
        ledger: Ledger,
        outcomes: Outcomes,
        *,
        keeper: LeaseKeeper,
        control: Control,
        tidier: Tidier | None = None,
    ) -> None:
        self._experiment, self._ledger, self._outcomes = experiment, ledger, outcomes
        self._keeper, self._control, self._tidier = keeper, control, tidier
        self._requests, self._asked = patiently(control.requests), time.monotonic()
        self._asking: Future[Requests] | None = None
        self._thread = ThreadPoolExecutor(1, "requests")

    def outcome(self, request: RunRequest) -> Outcome | None:
        """Returns how a run ended, None while something of it is missing."""
        return patiently(lambda: self._outcomes(request))

    def status(self, run: str) -> RunStatus | None:
        """Returns a run's recorded status."""
        return patiently(lambda: self._ledger.status(run))

    def claim(self, run: str) -> str | None:
        """Takes the lease of a run and returns its token; None while another orchestrator holds it."""
        self._outcomes.forget(run)
        return patiently(lambda: self._keeper.acquire(run))

    def holds(self, run: str) -> bool:
        """Tells whether the lease of a run is still ours."""
        return run in self._keeper.held

    def release(self, run: str) -> None:
        """Gives the lease of a run back."""
        self._keeper.release(run)
        self.tidy()

    def tidy(self, *, at_once: bool = False) -> None:
        """Deletes checkpoints that are beyond the experiment's budget, if it is time to look."""
        if self._tidier is not None:
            self._tidier.tidy(at_once=at_once)

    def note_mishap(self, request: RunRequest, mishap: Mishap, *, final: bool) -> None:
        """Records what happened to a run, and whether it is given up."""
        patiently(lambda: self._ledger.record_failure(request.spec.id, mishap.kind, mishap.sentence, final=final))

    def stop(self, request: RunRequest, step: int) -> None:
        """Records that an early-stopping rule ended a run at a rung."""
        self._end(request.spec.id, "stopped", step=step, error=None)

    def cancel(self, request: RunRequest) -> None:
        """Records that a person ended a run."""
        run = request.spec.id
        self._end(run, "cancelled", error=f"stopped on request; `g3dr retry {run}` takes it up again")
        patiently(lambda: self._control.clear_run(run))

    def _end(self, run: str, state: str, **changes: object) -> None:
        def write() -> None:
            status = self._ledger.status(run) or RunStatus("running")
            self._ledger.set_status(run, replace(status, state=state, **changes))  # type: ignore[arg-type]

        patiently(write)

    def stops(self) -> bool:
        """Tells whether somebody asked to stop the experiment."""
        return self._control.stop_requested(self._experiment, self._newest_requests())

    def is_cancelled(self, run: str) -> bool:
        """Tells whether somebody asked to stop a run."""
        return bool(self._control.stopped_runs([run], self._newest_requests()))

    def _newest_requests(self) -> Requests:
        """Returns what was asked for a moment ago; a store that is slow, or away, makes nobody wait."""
        if self._asking is not None and self._asking.done():
            error = self._asking.exception()
            if error is None:
                self._requests = self._asking.result()
            else:
                logger.debug("requests cannot be read at the moment: %s", error)
            self._asking, self._asked = None, time.monotonic()
        if self._asking is None and time.monotonic() - self._asked >= _POLL_SECONDS:
            self._asking = self._thread.submit(self._control.requests)
        return self._requests


def patiently(ask: Callable[[], Answer]) -> Answer:
    """Asks a store that may be away for up to half an hour.

    Raises:
        StoreError: It refused, or stayed away.
    """
    deadline = time.monotonic() + _LONGEST_OUTAGE_SECONDS
    while True:
        try:
            return ask()
        except StoreAwayError as error:
            if time.monotonic() > deadline:
                raise
            logger.warning("waiting for the store (%s)", error)
            time.sleep(_PAUSE_SECONDS)
