"""The file of a lease."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.ledger.processes import ProcessName
from orchestrator.ledger.records import to_json


@dataclass(frozen=True)
class LeaseRecord:
    """What `runs/<run>/lease/<generation>.json` says.

    Attributes:
        word: Nobody else uses it, so that it proves whose the lease is.
        owner: The process that holds it.
        seconds: It is dead when nothing has changed for so long.
        counter: Counts its renewals.
        released: Whether it was given back.
        since: When it was taken; like `renewed` by the holder's clock, only for people.
        renewed: When it was renewed last.
    """

    word: str
    owner: ProcessName
    seconds: float
    counter: int = 0
    released: bool = False
    since: str = ""
    renewed: str = ""

    def to_bytes(self) -> bytes:
        """Returns the content of the file."""
        return to_json({**vars(self), "owner": self.owner.to_json()})

    @classmethod
    def parse(cls, data: bytes) -> "LeaseRecord | None":
        """Reads the file; None if it is something else, or half-written."""
        try:
            record = json.loads(data)
            seconds = float(record["seconds"])
            if not 0 < seconds < float("inf"):
                return None
            owner = ProcessName.from_json(record["owner"])
            since, renewed = str(record["since"]), str(record["renewed"])
            return cls(str(record["word"]), owner, seconds, int(record["counter"]), bool(record["released"]), since, renewed)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return None

    @property
    def is_over(self) -> bool:
        """Whether it was released, or its process is known not to live any more."""
        return self.released or self.owner.is_gone()


@dataclass(frozen=True)
class Holder:
    """Who holds a run, for people.

    Attributes:
        host: Name of the machine.
        pid: Number of the process there.
        since: When it took the run, by its own clock.
        renewed: Its last sign of life, by its own clock.
        gone: Whether the process is known not to live any more, which only its own machine can tell.
    """

    host: str
    pid: int
    since: str
    renewed: str
    gone: bool

    @classmethod
    def of(cls, record: LeaseRecord) -> "Holder":
        """Returns who holds a lease."""
        return cls(record.owner.host, record.owner.pid, record.since, record.renewed, record.owner.is_gone())


def now() -> str:
    """Returns the time of this machine's clock, for people."""
    return datetime.now(UTC).isoformat(timespec="seconds")
