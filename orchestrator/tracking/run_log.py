"""The log of one attempt at a run: what this process logs meanwhile, kept in the store within a bounded size."""

import logging
import os
import socket
import threading
import time
import traceback
from datetime import UTC, datetime

from orchestrator.store import Store
from orchestrator.tracking.background import Background
from orchestrator.tracking.bounded import BoundedText

FLUSH_SECONDS = 10.0
KEPT_ATTEMPTS = 20
_TRIES = 1000
_RAYS = f"{os.sep}site-packages{os.sep}ray{os.sep}"


class RunLog(logging.Handler):
    """Collects log records and writes them to `runs/<run>/logs/<attempt>.log`.

    It is written every few seconds while anything new is there, so that other terminals can follow it and the last words before a kill are
    not lost. A log that is there is never overwritten: an attempt whose number is taken takes the next one.

    Args:
        store: The root.
        run: Id of the run.
        attempt: Number of the attempt, from 1.
        rank: Number of the worker; the log of any but the first says it in its name, and is only kept if something is amiss there.
        background: Writes.
    """

    def __init__(self, store: Store, run: str, attempt: int, rank: int, background: Background) -> None:
        super().__init__()
        self._store, self._folder, self._background = store, f"runs/{run}/logs", background
        self._attempt, self._rank = max(1, attempt), rank
        self._text, self._text_lock = BoundedText(), threading.Lock()
        self._is_wanted, self._name = rank == 0, ""
        self._written, self._last = 0, time.monotonic()
        self.say(f"attempt {self._attempt} on {socket.gethostname()}, process {os.getpid()}" + (f", worker {rank}" if rank else ""))

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record; called by `logging`, from any thread. Of Ray's own only warnings: it repeats every report of a run."""
        is_rays = _RAYS in record.pathname
        if is_rays and record.levelno < logging.WARNING:
            return
        try:
            text = f"{record.levelname} {'ray' if is_rays else record.name}: {record.getMessage()}"
            if record.exc_info and record.exc_info[0] is not None:
                text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
            self._is_wanted |= record.levelno >= logging.WARNING
            self.say(text, record.created)
        except Exception:  # noqa: BLE001, RUF100  (as every handler: a wrong format string of somebody's must not fail the run)
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        """Says that a record could not be written; the standard handler would print a traceback."""
        self.say(f"{record.levelname} {record.name}: a record that cannot be formatted: {record.msg!r}")

    def say(self, text: str, when: float | None = None) -> None:
        """Adds lines of one's own.

        Args:
            text: One line or several.
            when: Seconds since 1970; now if not given.
        """
        stamp = datetime.fromtimestamp(time.time() if when is None else when, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        with self._text_lock:
            for line in text.splitlines() or [""]:
                self._text.add(f"{stamp} {line}")
        if time.monotonic() - self._last >= FLUSH_SECONDS:
            self.save()

    def uncaught(self, error: BaseException) -> None:
        """Adds a traceback that ends the run."""
        self._is_wanted = True
        self.say("".join(traceback.format_exception(error)))

    def save(self) -> None:
        """Has the log written, if there is anything new."""
        self._last = time.monotonic()
        self._background.do(self._write)

    def _write(self) -> None:
        with self._text_lock:
            added, data = self._text.added, self._text.to_bytes()
        if added == self._written or not self._is_wanted:
            return
        if self._name:
            self._store.write_bytes(self._name, data)
        else:
            self._name = self._first_free(data)
        self._written = added

    def _first_free(self, data: bytes) -> str:
        for attempt in range(self._attempt, self._attempt + _TRIES):
            name = self._path(attempt)
            if self._store.write_if_absent(name, data):
                if attempt > KEPT_ATTEMPTS:
                    self._store.delete(self._path(attempt - KEPT_ATTEMPTS))
                return name
        return self._path(self._attempt)

    def _path(self, attempt: int) -> str:
        return f"{self._folder}/{attempt:04d}{f'.worker{self._rank}' if self._rank else ''}.log"
