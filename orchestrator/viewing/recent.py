"""What was read a moment ago, so that many tabs ask the store as often as one."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

SECONDS = 2.0
_SHARE = 0.1  # of the time may be spent on reading one thing
_MOST_KEPT = 4096

Result = TypeVar("Result")


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    until: float = float("-inf")


class Recent:
    """Remembers results for a short time; who asks meanwhile waits for the one who reads.

    What takes long to read is read less often: a store of a thousand runs is asked for a tenth of the time at most.

    Args:
        clock: Seconds that never go back.
        most: So many results are kept; those that nobody asked for the longest go first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST_KEPT) -> None:
        self._clock, self._lock, self._most = clock, threading.Lock(), most
        self._entries: dict[Hashable, _Entry] = {}

    def get(self, key: Hashable, read: Callable[[], Result], seconds: float = SECONDS) -> Result:
        """Returns what `read` gave within the last seconds, or gives now; an exception is not remembered.

        Args:
            key: Names what is read.
            read: Reads it.
            seconds: How long it stays true enough.
        """
        entry = self._entry(key)
        with entry.lock:
            began = self._clock()
            if began >= entry.until:
                entry.value = read()
                ended = self._clock()
                entry.until = ended + max(seconds, (ended - began) / _SHARE)
            value: Result = entry.value
        return value

    def _entry(self, key: Hashable) -> _Entry:
        with self._lock:
            entry = self._entries.pop(key, None) or _Entry()
            self._entries[key] = entry  # the last asked for stands last
            while len(self._entries) > self._most:
                del self._entries[next(iter(self._entries))]
            return entry
