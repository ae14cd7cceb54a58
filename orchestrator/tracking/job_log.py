"""What a command prints while it computes an experiment, kept in the store: `experiments/<name>/logs/<attempt>.log`.

A job's output is otherwise on the head node only, and gone with it.
"""

import logging
import os
import socket
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Self, TextIO

from g3dr.errors import G3drError
from orchestrator.store import Store
from orchestrator.tracking.background import Background
from orchestrator.tracking.numbered_log import NumberedLog

_PATIENCE_SECONDS = 10.0


def job_logs(experiment: str) -> str:
    """Returns the folder of an experiment's logs."""
    return f"experiments/{experiment}/logs"


class JobLog:
    """A context that hears what is printed in it; nothing is kept unless something begins to be computed.

    Args:
        store: The root.
        experiment: Its name.
        is_wanted: Whether to listen at all; what is drawn on a terminal is not for a file.
    """

    def __init__(self, store: Store, experiment: str, *, is_wanted: bool = True) -> None:
        self._background = Background("the log of this command")
        self._log = NumberedLog(store, job_logs(experiment), None, self._background)
        self._is_wanted, self._has_begun = is_wanted, False
        self._tees: list[_Tee] = []

    def __enter__(self) -> Self:
        if self._is_wanted:
            now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
            self._log.add(f"{now} UTC on {socket.gethostname()}, process {os.getpid()}")
            self._tees = [_Tee(sys.stdout, self._hear), _Tee(sys.stderr, self._hear)]
            for tee in self._tees:
                _exchange(tee.stream, tee)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        for tee in self._tees:
            tee.close_line()
            _exchange(tee, tee.stream)
        if error is not None:
            self._log.add(_last_words(error))
        if self._has_begun:
            self._log.save()
            self._background.close(_PATIENCE_SECONDS)

    def begin(self) -> None:
        """Keeps from here on what is printed, and what was printed before."""
        self._has_begun = self._is_wanted
        if self._has_begun:
            self._log.save()

    def _hear(self, line: str) -> None:
        self._log.add(line)
        if self._has_begun and self._log.is_due:
            self._log.save()


class _Tee:
    """A stream that passes everything on to another, and its lines to a listener."""

    def __init__(self, stream: TextIO, hear: Any) -> None:
        self.stream, self._hear, self._line = stream, hear, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Passes text on; a line is heard when it ends."""
        written = self.stream.write(text)
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._hear(line)
        return written

    def close_line(self) -> None:
        """Has a line heard that has no end."""
        if self._line:
            self._hear(self._line)
            self._line = ""


def _exchange(old: Any, new: Any) -> None:
    """Puts one stream in the place of another, for whoever prints and for whoever logs."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is old:
            setattr(sys, name, new)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is old:
            handler.setStream(new)


def _last_words(error: BaseException) -> str:
    """Returns how a command ended that did not get to its end: the sentence that it will print, or where it broke."""
    if isinstance(error, G3drError):
        return f"error: {error}"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if type(error).__name__ == "Exit":  # Typer's: what is to be said has been said
        return f"exit code {getattr(error, 'exit_code', 1)}"
    return "".join(traceback.format_exception(error)).rstrip()
