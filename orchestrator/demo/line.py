"""Orders in the order in which they came: one is worked on, the others wait and can see how many are before them."""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from g3dr.errors import DataError, G3drError

logger = logging.getLogger(__name__)

MOST_WAITING = 16
MOST_KEPT = 12  # results, of a few megabytes each
FORGOTTEN_SECONDS = 120.0
"""A page that was not closed asks at least once a minute, even from a hidden tab; what nobody asks for is not computed."""

State = Literal["waiting", "running", "done", "failed", "withdrawn"]
Order = TypeVar("Order")
Report = Callable[[str, float], None]
"""Is told what is being done and which part of all is done, 0 to 1; raises `WithdrawnError` where the result is not wanted any more."""


class WithdrawnError(Exception):
    """Whoever asked for it does not want it any more."""


@dataclass(frozen=True)
class Result:
    """What became of an order.

    Attributes:
        files: Contents by name.
        facts: What there is to say about it, as JSON.
    """

    files: Mapping[str, bytes]
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Standing:
    """How an order stands.

    Attributes:
        state: Of it.
        before: Orders that come first.
        doing: What is being done, in words.
        part: Which part of that is done, 0 to 1.
        error: Why it failed, a sentence.
        result: What became of it.
    """

    state: State
    before: int = 0
    doing: str = ""
    part: float = 0.0
    error: str = ""
    result: Result | None = None


@dataclass
class _Entry(Generic[Order]):
    order: Order | None  # None once it is over: a photograph is larger than all that is kept of it
    state: State = "waiting"
    doing: str = ""
    part: float = 0.0
    error: str = ""
    result: Result | None = None
    asked: float = field(default_factory=time.monotonic)


class Line(Generic[Order]):
    """A worker's thread, and those who wait for it.

    Args:
        work: Turns an order into a result; called by one thread, for one order at a time.
        prepare: Is called by that thread before anything else; what goes wrong in it is left to `work`.
    """

    def __init__(self, work: Callable[[Order, Report], Result], prepare: Callable[[], None] | None = None) -> None:
        self._work, self._prepare = work, prepare
        self._entries: OrderedDict[str, _Entry[Order]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="demo", daemon=True)
        self._thread.start()

    def add(self, order: Order) -> str:
        """Puts an order at the end; returns the name under which it can be asked for, which nobody can guess.

        Raises:
            DataError: Too many wait already, or the end has come.
        """
        name = secrets.token_urlsafe(12)
        with self._changed:
            if self._closed:
                raise DataError("the demo was ended; start it again with g3dr demo")
            if len(self._waiting()) >= MOST_WAITING:
                raise DataError(f"{MOST_WAITING} photographs are waiting already; try again in a few minutes")
            self._entries[name] = _Entry(order)
            self._changed.notify_all()
        return name

    def standing(self, name: str) -> Standing | None:
        """Returns how an order stands; None for one that was never here, or so long ago that its result is gone."""
        with self._changed:
            entry = self._entries.get(name)
            if entry is None:
                return None
            entry.asked = time.monotonic()
            before = self._before(name) if entry.state == "waiting" else 0
            return Standing(entry.state, before, entry.doing, entry.part, entry.error, entry.result)

    def withdraw(self, name: str) -> None:
        """Ends an order that waits at once, and one that is worked on at its next report; leaves all others as they are."""
        with self._changed:
            entry = self._entries.get(name)
            if entry is not None and entry.state in ("waiting", "running"):
                entry.state, entry.order = "withdrawn", None

    def close(self, seconds: float = 5.0) -> None:
        """Ends what is worked on at its next report, and the thread with it.

        Args:
            seconds: How long to wait for that.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(seconds)

    def _waiting(self) -> list[str]:
        return [name for name, entry in self._entries.items() if entry.state == "waiting"]

    def _before(self, name: str) -> int:
        running = sum(entry.state == "running" for entry in self._entries.values())
        return running + self._waiting().index(name)

    def _run(self) -> None:
        if self._prepare is not None:
            try:
                self._prepare()
            except Exception as error:  # the first order meets it again, and says so to whoever asked
                logger.info("not prepared: %s", error)
        while (entry := self._next()) is not None:
            if entry.order is not None:
                self._serve(entry, entry.order)
            self._forget()

    def _next(self) -> _Entry[Order] | None:
        """Waits for the next order that somebody still wants; None at the end."""
        with self._changed:
            while not self._closed:
                for name in self._waiting():
                    entry = self._entries[name]
                    if time.monotonic() - entry.asked < FORGOTTEN_SECONDS:
                        entry.state = "running"
                        return entry
                    entry.state, entry.order = "withdrawn", None
                self._changed.wait()
        return None

    def _serve(self, entry: _Entry[Order], order: Order) -> None:
        def report(doing: str, part: float) -> None:
            if entry.state == "withdrawn" or self._closed:
                raise WithdrawnError
            entry.doing, entry.part = doing, part

        state: State = "failed"
        try:
            entry.result, state = self._work(order, report), "done"
        except WithdrawnError:
            state = "withdrawn"
        except G3drError as error:
            entry.error = str(error)
        except Exception as error:
            logger.exception("an order failed")
            entry.error = f"this photograph cannot be reconstructed ({type(error).__name__}: {error})"
        with self._changed:
            entry.state, entry.order = ("withdrawn" if entry.state == "withdrawn" else state), None

    def _forget(self) -> None:
        """Keeps the newest results only."""
        with self._changed:
            over = [name for name, entry in self._entries.items() if entry.state not in ("waiting", "running")]
            for name in over[:-MOST_KEPT]:
                del self._entries[name]
