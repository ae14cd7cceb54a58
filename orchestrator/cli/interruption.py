"""What ends a command from outside: SIGTERM, which clusters and service managers send, does what Ctrl-C does."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

_DEFAULTS: dict[signal.Signals, Callable[[int, FrameType | None], object] | signal.Handlers] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
"""Only these are replaced: who ignores a signal (`nohup`), or handles it, goes on doing so."""


class Interruption:
    """A with block in which SIGINT and SIGTERM raise KeyboardInterrupt; a second signal of either kind ends the process at once.

    Outside of the main thread, where Python receives no signals, it does nothing.
    """

    def __init__(self) -> None:
        self._came: signal.Signals | None = None
        self._taken: list[signal.Signals] = []

    @property
    def exit_code(self) -> int:
        """What a shell reports of a process that the signal has ended: 128 and its number; that of Ctrl-C if none came."""
        return 128 + (self._came or signal.SIGINT)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._taken = [number for number, default in _DEFAULTS.items() if signal.getsignal(number) == default]
        for number in self._taken:
            signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._taken:
            if self._came is None:  # else the process is about to end, and must not be kept from it
                signal.signal(number, _DEFAULTS[number])

    def _receive(self, number: int, _: FrameType | None) -> None:
        self._came = signal.Signals(number)
        for taken in self._taken:
            signal.signal(taken, signal.SIG_DFL)  # the system's own, which asks no thread whether it has time
        raise KeyboardInterrupt
