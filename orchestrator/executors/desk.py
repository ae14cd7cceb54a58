"""What whoever hands out and ends trials asks of the ledger and of people; `running.desk` answers."""

from typing import Protocol

from orchestrator.ledger import RunStatus
from orchestrator.planning.knowledge import Outcome
from orchestrator.running.retrying import Mishap
from orchestrator.runs import RunRequest


class Desk(Protocol):
    """What the queue and the scheduler need of the ledger and of people."""

    def outcome(self, request: RunRequest) -> Outcome | None:
        """Returns how a run ended, None while something of it is missing."""

    def claim(self, run: str) -> str | None:
        """Takes the lease of a run and returns its token; None while another orchestrator holds it."""

    def holds(self, run: str) -> bool:
        """Tells whether the lease of a run is still ours."""

    def release(self, run: str) -> None:
        """Gives the lease of a run back."""

    def status(self, run: str) -> RunStatus | None:
        """Returns a run's recorded status."""

    def note_mishap(self, request: RunRequest, mishap: Mishap, *, final: bool) -> None:
        """Records what happened to a run, and whether it is given up."""

    def stops(self) -> bool:
        """Tells whether somebody asked to stop the experiment."""

    def is_cancelled(self, run: str) -> bool:
        """Tells whether somebody asked to stop a run."""

    def cancel(self, request: RunRequest) -> None:
        """Records that a person ended a run, or does not want it begun."""

    def stop(self, request: RunRequest, step: int) -> None:
        """Records that an early-stopping rule ended a run at a rung."""
