"""Which process holds something, and whether it is known not to live any more."""

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class ProcessName:
    """A process, so that another one can tell whether it is the same.

    Attributes:
        host: Name of the machine.
        boot: Word that the kernel made up when it started; empty where it tells none.
        namespace: Namespace in which `pid` counts, since every container has its own process 1; empty where there is none.
        pid: Number of the process.
        started: When it began, in the kernel's ticks since the boot; tells it from a later process of the same number.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: int

    @classmethod
    def current(cls) -> "ProcessName":
        """Returns the name of this process."""
        return _name_of(os.getpid())

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "ProcessName":
        """Reads what `to_json` wrote.

        Raises:
            KeyError, ValueError: It is something else.
        """
        return cls(str(record["host"]), str(record["boot"]), str(record["namespace"]), int(record["pid"]), int(record["started"]))

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return asdict(self)

    def is_gone(self) -> bool:
        """Tells whether the process certainly lives no more; of another machine, boot or container, nothing is certain."""
        here = ProcessName.current()
        same_place = bool(self.boot and self.namespace) and (self.host, self.boot, self.namespace) == (here.host, here.boot, here.namespace)
        return same_place and not _lives(self.pid, self.started)


@lru_cache(maxsize=1)
def _name_of(pid: int) -> ProcessName:
    try:
        boot, namespace = _BOOT.read_text(encoding="ascii").strip(), str(_NAMESPACE.readlink())
    except OSError:
        boot = namespace = ""
    _, started = _state(pid) or ("", 0)
    return ProcessName(socket.gethostname(), boot, namespace, pid, started)


def _state(pid: int) -> tuple[str, int] | None:
    """Returns the state of a process, a letter, and when it began; None where nothing is to be seen of it."""
    try:
        # The name of the program stands in brackets and may hold anything.
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return words[0], int(words[19])


def _lives(pid: int, started: int) -> bool:
    state = _state(pid)
    if state is None:
        return _answers(pid)
    return state[1] == started and state[0] not in "ZXx"  # a zombie is dead, only nobody has asked for its result yet


def _answers(pid: int) -> bool:
    """Asks the kernel, since some machines hide other people's processes from /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
