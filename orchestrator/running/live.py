"""What an orchestrator that runs says about itself in the store, so that other terminals and machines can look.

    experiments/<name>/live/<host>-<pid>.json      one file for each orchestrator, renewed every few seconds

A thread writes, so a store that is away delays nothing; a reader tells from the age of the file whether its writer still lives.
"""

import contextlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.running.board import Board
from orchestrator.running.snapshot import Snapshot
from orchestrator.store import Store, StoreError

logger = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
LOST_SECONDS = 30.0
"""So old is a file that its writer has probably died."""

_LAST_WORD_SECONDS = 10.0
_FORGOTTEN_SECONDS = 3600.0


@dataclass(frozen=True)
class Live:
    """What one orchestrator wrote.

    Attributes:
        host: Its machine.
        pid: Its process there.
        started: When it began, seconds since 1970 by its own clock.
        written: When it wrote this, by its own clock.
        state: `running` until its last word: `finished`, `failed`, `stopped` or `interrupted`.
        snapshot: What it computes.
    """

    host: str
    pid: int
    started: float
    written: float
    state: str
    snapshot: Snapshot

    @property
    def age(self) -> float:
        """Seconds since it wrote; clocks of different machines may differ."""
        return max(0.0, time.time() - self.written)

    @property
    def is_running(self) -> bool:
        """Tells whether it computes, as far as one can know."""
        return self.state == "running" and self.age < LOST_SECONDS

    def to_json(self) -> dict[str, Any]:
        """Returns plain mappings, lists and values."""
        own = {name: getattr(self, name) for name in ("host", "pid", "started", "written", "state")}
        return {**own, "snapshot": self.snapshot.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Live":
        """Reads what `to_json` wrote."""
        own = {name: record[name] for name in ("host", "pid", "started", "written", "state")}
        return cls(**own, snapshot=Snapshot.from_json(record["snapshot"]))


def read_live(store: Store, experiment: str) -> list[Live]:
    """Returns what all orchestrators of an experiment wrote last, newest first; a file of another shape is left out."""
    found = []
    for path in store.list(f"experiments/{experiment}/live"):
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            found.append(Live.from_json(json.loads(store.read_bytes(path))))
    return sorted(found, key=lambda live: -live.written)


class LiveFile:
    """Writes what its `board` has collected; a context, at whose end stands a last word.

    Nothing here fails an experiment: a store that does not answer is warned about once, and asked again.

    Args:
        store: The root.
        experiment: Its name.
        every: Seconds between two writes.
    """

    def __init__(self, store: Store, experiment: str, every: float = EVERY_SECONDS) -> None:
        self.board = _BoardWithEnd()
        self._store, self._experiment, self._every = store, experiment, every
        self._host, self._pid, self._started = socket.gethostname(), os.getpid(), time.time()
        self._path = f"experiments/{experiment}/live/{self._host}-{self._pid}.json"
        self._over = threading.Event()
        self._is_away = False
        self._thread = threading.Thread(target=self._keep_writing, name="live", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.board.state == "running":
            self.board.experiment_ended("finished" if kind is None else "failed" if issubclass(kind, Exception) else "interrupted")
        self._over.set()
        self._thread.join(_LAST_WORD_SECONDS)  # a daemon: a store that is away keeps nobody waiting

    def _keep_writing(self) -> None:
        self._try(self._forget_old)
        while not self._over.is_set():
            self._try(self._write)
            self._over.wait(self._every)
        self._try(self._write)

    def _write(self) -> None:
        live = Live(self._host, self._pid, self._started, time.time(), self.board.state, self.board.snapshot())
        self._store.write_bytes(self._path, json.dumps(live.to_json()).encode())

    def _forget_old(self) -> None:
        for live in read_live(self._store, self._experiment):
            if live.age > _FORGOTTEN_SECONDS:
                self._store.delete(f"experiments/{self._experiment}/live/{live.host}-{live.pid}.json")

    def _try(self, write: Any) -> None:
        try:
            write()
            self._is_away = False
        except (StoreError, OSError) as error:
            if not self._is_away:
                logger.warning("other terminals cannot see what runs, the experiment goes on: %s", error)
            self._is_away = True


class _BoardWithEnd(Board):
    """A board that remembers how the experiment ended."""

    state = "running"

    def experiment_ended(self, state: str) -> None:
        """Takes over the last word."""
        self.state = state
