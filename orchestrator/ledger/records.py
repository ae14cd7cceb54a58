"""What the ledger says about a run, and how that becomes JSON."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from orchestrator.store import Store

logger = logging.getLogger(__name__)

RunState = Literal["running", "finished", "failed", "stopped", "cancelled"]
FailureKind = Literal["input", "non_finite", "out_of_memory", "crash", "preemption", "unplaced", "cancelled"]


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Attributes:
        state: `finished`, `stopped` (by an early-stopping rule) and `cancelled` (by a person) are final; a `failed` run is tried again when
            asked for again.
        step: Steps that its newest checkpoint holds; of a stopped run, the rung at which it ended.
        seconds: Time spent in training steps, over all attempts that reached a checkpoint.
        seconds_per_step: Median over the logged windows.
        error: One sentence, if it failed.
        attempts: How often it was begun and did not get to its end.
    """

    state: RunState
    step: int = 0
    seconds: float = 0.0
    seconds_per_step: float = 0.0
    error: str | None = None
    attempts: int = 0

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "RunStatus":
        """Reads what `dataclasses.asdict` made, also by an older or newer version.

        Raises:
            ValueError: It is no status.
        """
        known = {member.name: record[member.name] for member in fields(cls) if member.name in record}
        if known.get("state") not in get_args(RunState) or not isinstance(known.get("step", 0), int):
            raise ValueError("no state of a run")
        return cls(**known)


@dataclass(frozen=True)
class Failure:
    """Why an attempt at a run ended.

    Attributes:
        kind: What is to blame; only `crash` and `preemption` may pass if it is tried again.
        sentence: What went wrong, where.
        keys: Of the batch at which it happened, where one is to blame.
        attempt: The how-manieth that failed, from 1.
        time: When, by the clock of the machine that wrote it.
    """

    kind: FailureKind
    sentence: str
    keys: tuple[str, ...] = field(default=())
    attempt: int = 1
    time: str = ""


def to_json(value: object) -> bytes:
    """Returns the file that holds a JSON value."""
    return json.dumps(value, indent=1, sort_keys=True).encode()


def read_json(store: Store, path: str) -> dict[str, Any] | None:
    """Returns the mapping in a file; None if there is no file."""
    try:
        record: dict[str, Any] = json.loads(store.read_bytes(path))
    except FileNotFoundError:
        return None
    return record


def read_status(store: Store, run: str) -> RunStatus | None:
    """Returns the recorded status of a run; None if there is none, or if it is damaged: then the run is continued as if it were running."""
    path = f"runs/{run}/status.json"
    try:
        record = read_json(store, path)
        return None if record is None else RunStatus.from_json(record)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        logger.warning("%s: damaged, it is taken as missing (%s)", path, error)
        return None
