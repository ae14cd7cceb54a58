"""Follows a job: what it prints, through connections that break, until it ends."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Self

from g3dr.errors import G3drError
from orchestrator.cluster.connection import ClusterError
from orchestrator.cluster.submitting.client import AwayError, Jobs, JobState

POLL_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 15.0
_AGAIN_SECONDS = 3.0
PATIENCE_SECONDS = 1800.0
"""So long a cluster may be away before nobody follows any more; the job itself does not notice."""


class LogStream:
    """Collects what a job prints, in a thread; a context.

    A connection that breaks is made again; the part that was read before is skipped then, since Ray begins at the beginning.

    Args:
        jobs: The cluster's.
        job: Its id.
    """

    def __init__(self, jobs: Jobs, job: str) -> None:
        self._jobs, self._job = jobs, job
        self._lock, self._over = threading.Lock(), threading.Event()
        self._text, self._seen = "", 0
        self._thread = threading.Thread(target=self._read, name="job log", daemon=True)  # it may wait for an answer for ever

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def take(self, *, rest: bool = False) -> list[str]:
        """Returns the lines that came since the last time.

        Args:
            rest: A line without its end too.
        """
        with self._lock:
            whole, mark, self._text = self._text.rpartition("\n")
            if rest:
                whole, self._text = whole + mark + self._text, ""
        return whole.splitlines()

    def finish(self) -> list[str]:
        """Returns all lines that are left of a job that has ended."""
        with contextlib.suppress(AwayError):  # what the stream had is all there is then
            self._add(self._jobs.logs(self._job), 0)
        return self.take(rest=True)

    def _read(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(ClusterError):  # who asks for the job's state tells of it
                self._read_once()
            self._over.wait(_AGAIN_SECONDS)

    def _read_once(self) -> None:
        begin = 0
        for piece in self._jobs.tail(self._job):
            self._add(piece, begin)
            begin += len(piece)
            if self._over.is_set():
                return

    def _add(self, piece: str, begin: int) -> None:
        with self._lock:
            self._text += piece[max(0, self._seen - begin) :]
            self._seen = max(self._seen, begin + len(piece))


class LostError(G3drError):
    """A cluster that has not answered for so long that nobody follows any more."""


class Patience:
    """Asks a cluster that is away again and again, with growing pauses.

    Args:
        tell: Gets one sentence when an absence begins, and one when it ends.
        limit: Longest absence, seconds.
    """

    def __init__(self, tell: Callable[[str], None], limit: float = PATIENCE_SECONDS) -> None:
        self._tell, self._limit = tell, limit
        self._since: float | None = None
        self._pause = POLL_SECONDS

    def state(self, jobs: Jobs, job: str) -> JobState | None:
        """Returns a job's state; None after a pause, if the cluster is away.

        Raises:
            LostError: It has been away for too long.
        """
        try:
            found = jobs.state(job)
        except AwayError as error:
            self._wait(error)
            return None
        if self._since is not None:
            self._tell("the cluster answers again")
        self._since, self._pause = None, POLL_SECONDS
        return found

    def _wait(self, error: AwayError) -> None:
        now = time.monotonic()
        if self._since is None:
            self._since = now
            self._tell(f"{error}; the job does not notice, asking again")
        if now - self._since > self._limit:
            raise LostError(
                f"no answer for {self._limit / 60:.0f} minutes; the same command follows the job again once the cluster is back"
            )
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)


def follow(jobs: Jobs, job: str, show: Callable[[list[str]], None], tell: Callable[[str], None]) -> JobState:
    """Shows what a job prints until it ends; returns how it ended.

    Args:
        jobs: The cluster's.
        job: Its id.
        show: Gets its lines.
        tell: Gets sentences about the connection.

    Raises:
        LostError: The cluster has been away for too long.
    """
    patience = Patience(tell)
    with LogStream(jobs, job) as stream:
        while True:
            show(stream.take())
            state = patience.state(jobs, job)
            if state is not None and state.is_over:
                show(stream.finish())
                return state
            time.sleep(POLL_SECONDS if state is not None else 0)
