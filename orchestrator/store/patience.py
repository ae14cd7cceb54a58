"""How long an object store is waited for, and how often it is asked again."""

import os
import secrets
import time
from dataclasses import dataclass

from orchestrator.store.base import StoreError

_LONGEST_PAUSE_SECONDS = 20.0
_retries = 0  # of this process
_CHANCE = secrets.SystemRandom()  # workers that failed together must not come back together, so nothing seeds this


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries; each from its environment variable, so that Ray's workers have them too.

    Attributes:
        attempts: How often a request is made at most (`AWS_MAX_ATTEMPTS`).
        connect_seconds: Longest wait for a connection (`G3DR_STORE_CONNECT_SECONDS`).
        read_seconds: Longest silence within an answer (`G3DR_STORE_READ_SECONDS`).
        backoff_seconds: The first pause lasts up to so long, each further one up to twice as long as the one before, none more than
            20 s (`G3DR_STORE_BACKOFF_SECONDS`).
    """

    attempts: int = 8
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    backoff_seconds: float = 0.5

    @classmethod
    def from_environment(cls) -> "Patience":
        """Reads the variables that are set.

        Raises:
            StoreError: One of them is not a positive number.
        """
        attempts = int(_number("AWS_MAX_ATTEMPTS", cls.attempts))
        connect = _number("G3DR_STORE_CONNECT_SECONDS", cls.connect_seconds)
        read = _number("G3DR_STORE_READ_SECONDS", cls.read_seconds)
        return cls(max(1, attempts), connect, read, _number("G3DR_STORE_BACKOFF_SECONDS", cls.backoff_seconds))

    def pause(self, failures: int) -> None:
        """Sleeps after the given number of failures in a row: a random part of a span that doubles each time."""
        global _retries  # noqa: PLW0603  (a count for people; threads that meet here lose one of it, and no lock is worth that)
        _retries += 1
        span = min(self.backoff_seconds * 2.0 ** (failures - 1), _LONGEST_PAUSE_SECONDS)
        time.sleep(_CHANCE.uniform(0, span))


def retries_so_far() -> int:
    """Returns how often this process has asked a store again."""
    return _retries


def _number(variable: str, default: float) -> float:
    text = os.environ.get(variable)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise StoreError(f"{variable}: got {text!r}, allowed: a number above 0")
    return value
