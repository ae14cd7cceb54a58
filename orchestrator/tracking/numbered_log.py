"""A log in the store, written whole again and again within its bounds, under the number of its attempt."""

import threading
import time

from orchestrator.store import Store
from orchestrator.tracking.background import Background
from orchestrator.tracking.bounded import BoundedText

FLUSH_SECONDS = 10.0
KEPT_ATTEMPTS = 20
_TRIES = 1000


class NumberedLog:
    """Collects lines and writes them to `<folder>/<attempt>.log`.

    It is written every few seconds while anything new is there, so that other terminals can follow it and the last words before a kill are
    not lost. A log that is there is never overwritten: an attempt whose number is taken takes the next one.

    Args:
        store: The root.
        folder: Where the logs of all attempts are.
        attempt: Number of the attempt, from 1; None for the one after the newest that is there.
        ending: Of the name, between the number and `.log`.
        background: Writes.
    """

    def __init__(self, store: Store, folder: str, attempt: int | None, background: Background, ending: str = "") -> None:
        self._store, self._folder, self._background = store, folder, background
        self._attempt, self._ending, self._name = attempt, ending, ""
        self._text, self._lock = BoundedText(), threading.Lock()
        self._written, self._last = 0, time.monotonic()

    def add(self, text: str, stamp: str = "") -> None:
        """Adds lines.

        Args:
            text: One or several.
            stamp: Put before each.
        """
        with self._lock:
            for line in text.splitlines() or [""]:
                self._text.add(f"{stamp}{line}")

    @property
    def is_due(self) -> bool:
        """Tells whether it was not written for a while."""
        return time.monotonic() - self._last >= FLUSH_SECONDS

    def save(self) -> None:
        """Has the log written, if there is anything new."""
        self._last = time.monotonic()
        self._background.do(self._write)

    def _write(self) -> None:
        with self._lock:
            added, data = self._text.added, self._text.to_bytes()
        if added == self._written:
            return
        if self._name:
            self._store.write_bytes(self._name, data)
        else:
            self._name = self._first_free(data)
        self._written = added

    def _first_free(self, data: bytes) -> str:
        first = self._after_newest() if self._attempt is None else max(1, self._attempt)
        for attempt in range(first, first + _TRIES):
            name = self._path(attempt)
            if self._store.write_if_absent(name, data):
                if attempt > KEPT_ATTEMPTS:
                    self._store.delete(self._path(attempt - KEPT_ATTEMPTS))
                return name
        return self._path(first)

    def _after_newest(self) -> int:
        numbers = [path.rpartition("/")[2].partition(".")[0] for path in self._store.list(self._folder)]
        return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)

    def _path(self, attempt: int) -> str:
        return f"{self._folder}/{attempt:04d}{self._ending}.log"
