"""Does small things in order in a thread, so that a store or a server that is slow or away delays no training, and fails none."""

import logging
import queue
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

Work = Callable[[], None]
_MOST = 1000
"""Things that may wait; more are dropped, so that a server that is away for a night costs no memory."""


class Background:
    """A thread that starts with the first thing to do. Whatever a thing raises is warned about once.

    Args:
        purpose: What is lost if it fails, for the warning, such as `the run's log`.
    """

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._work: queue.Queue[Work | None] = queue.Queue(_MOST)
        self._thread: threading.Thread | None = None
        self._has_warned = False

    def do(self, work: Work) -> None:
        """Has something done after all that was asked for before; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"background: {self._purpose}", daemon=True)
            self._thread.start()
        try:
            self._work.put_nowait(work)
        except queue.Full:
            self._warn("it is too slow, and so something is left out")

    def close(self, patience: float) -> None:
        """Waits until everything is done.

        Args:
            patience: Seconds after which what is left is given up.
        """
        if self._thread is None:
            return
        deadline = time.monotonic() + patience
        try:
            self._work.put(None, timeout=patience)
        except queue.Full:
            pass
        else:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._warn(f"it was not done after {patience:.0f} s")

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception as error:  # noqa: BLE001, RUF100  (no tracker may fail a run, whatever its library raises)
                self._warn(f"{type(error).__name__}: {error}")

    def _warn(self, problem: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("%s cannot be written, the run goes on: %s", self._purpose, problem.replace("\n", " ")[:500])
