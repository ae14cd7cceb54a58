"""The log of one attempt at a run: what this process logs meanwhile, kept in the store within a bounded size."""

import logging
import os
import socket
import time
import traceback
from datetime import UTC, datetime

from orchestrator.store import Store
from orchestrator.tracking.background import Background
from orchestrator.tracking.numbered_log import NumberedLog

_RAYS = f"{os.sep}site-packages{os.sep}ray{os.sep}"


class RunLog(logging.Handler):
    """Collects log records and writes them to `runs/<run>/logs/<attempt>.log`; see `NumberedLog`.

    Args:
        store: The root.
        run: Id of the run.
        attempt: Number of the attempt, from 1.
        rank: Number of the worker; the log of any but the first says it in its name, and is only kept if something is amiss there.
        background: Writes.
    """

    def __init__(self, store: Store, run: str, attempt: int, rank: int, background: Background) -> None:
        super().__init__()
        self._log = NumberedLog(store, f"runs/{run}/logs", attempt, background, f".worker{rank}" if rank else "")
        self._is_wanted = rank == 0
        self.say(f"attempt {max(1, attempt)} on {socket.gethostname()}, process {os.getpid()}" + (f", worker {rank}" if rank else ""))

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
        self._log.add(text, f"{stamp} ")
        if self._log.is_due:
            self.save()

    def uncaught(self, error: BaseException) -> None:
        """Adds a traceback that ends the run."""
        self._is_wanted = True
        self.say("".join(traceback.format_exception(error)))

    def save(self) -> None:
        """Has the log written, if there is anything new, and anybody wants it."""
        if self._is_wanted:
            self._log.save()
