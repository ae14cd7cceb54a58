"""How far work is: bars with rate and time left on a terminal, at most ten plain lines for each piece of work elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from orchestrator.cli.consoles import console as console_for_all

PLAIN_LINES = 10
PLAIN_SECONDS = 2.0  # between two lines of work that is not over: short work says two, not ten


def rate(speed: float, unit: str) -> str:
    """Returns a speed in words, such as `4.2 frames/s`.

    Args:
        speed: Per second.
        unit: What is counted, in the plural; empty for no words at all.
    """
    number = f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"
    return f"{number} {unit}/s" if unit else ""


def time_left(seconds: float) -> str:
    """Returns a duration as a person would say it: `50 s`, `12 min`, `3.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


@dataclass
class _Told:
    """What was printed about a piece of work: when and where it began, the last line's number and time, and how far it was then."""

    began: float
    first: int
    number: int = -1
    last: float = field(default=float("-inf"))
    done: int = 0


class Lines:
    """Plain lines, for files and pipes; a context like `Bars`, so that nobody needs to ask which of them it has."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, _Told] = {}

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self._told.clear()

    def move(self, title: str, done: int, total: int, unit: str = "", news: str = "") -> None:
        """Prints a line, if enough was done since the last one.

        Args:
            title: Which work.
            done: How much of it is done.
            total: How much there is.
            unit: What is counted, in the plural, for the rate.
            news: What else there is to say now.
        """
        now, told = time.monotonic(), self._told.get(title)
        if told is None or done < told.done:
            told = self._told[title] = _Told(began=now, first=done)
        told.done, number = done, (PLAIN_LINES - 1) * done // total if total else PLAIN_LINES
        if number > told.number and (done >= total or now - told.last >= PLAIN_SECONDS):
            told.number, told.last = number, now
            line = _line(title, done, total, unit, told) + (f", {news}" if news else "")
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self, title: str) -> None:
        """Forgets a piece of work; the next of the same title begins anew."""
        self._told.pop(title, None)


def _line(title: str, done: int, total: int, unit: str, told: _Told) -> str:
    parts = [f"{title}: {done:,} of {total:,}"]
    passed = told.last - told.began
    if done > told.first and passed > 0:
        speed = (done - told.first) / passed
        parts += [rate(speed, unit)] if unit else []
        parts += [f"{time_left((total - done) / speed)} left"] if done < total else []
    return ", ".join(parts)


class _RateColumn(ProgressColumn):
    """Units per second over the last half minute."""

    def render(self, task: Task) -> Text:
        """Returns the rate, or nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text(rate(speed, task.fields["unit"]) if speed else "", style="progress.data.speed")


class Bars:
    """Bars that move; they are there while the context is entered."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            _RateColumn(),
            TextColumn("{task.fields[news]}", style="dim", markup=False),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def move(self, title: str, done: int, total: int, unit: str = "", news: str = "") -> None:
        """Moves the bar of a title, and opens it first if there is none; see `Lines.move`."""
        if title not in self._tasks:
            self._tasks[title] = self._bars.add_task(title, total=total, completed=done, unit=unit, news=news)
        self._bars.update(self._tasks[title], completed=done, total=total, news=news)

    def close(self, title: str) -> None:
        """Takes a bar away, if there is one."""
        if title in self._tasks:
            self._bars.remove_task(self._tasks.pop(title))


def shown_on(console: Console) -> Bars | Lines:
    """Returns bars for a terminal, lines for everything else."""
    return Bars(console) if console.is_terminal else Lines(console)


@contextmanager
def progress(title: str, unit: str = "", console: Console | None = None) -> Iterator[Callable[[int, int], None]]:
    """Shows how far one piece of work is while the context is entered.

    Args:
        title: What is being done, such as `drawing animals`.
        unit: What is counted, in the plural (`images`), for the rate; empty shows none.
        console: Where; standard output where it is not given.

    Yields:
        What to call with the units that are done and all units, as often as you like.
    """
    with shown_on(console or console_for_all()) as shown:
        yield lambda done, total: shown.move(title, done, total, unit)
