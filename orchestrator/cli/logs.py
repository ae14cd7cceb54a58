"""`g3dr logs`: what a run logged, and what a job that computed an experiment printed."""

import re
import time
from dataclasses import dataclass
from typing import Annotated, Protocol

import typer

from g3dr.errors import G3drError
from orchestrator.cli.options import WhereRoot
from orchestrator.finding import NamedRun, experiments, find_run
from orchestrator.ledger import Leases, Ledger
from orchestrator.running.live import read_live
from orchestrator.store import Store, open_store
from orchestrator.tracking.job_log import job_logs

_FOLLOW_SECONDS = 2.0
_NAME = re.compile(r"(\d+)(?:\.worker(\d+))?\.log")


def logs(
    run: Annotated[
        str, typer.Argument(help="EXPERIMENT/STAGE/LABEL, the beginning of a run's id, or EXPERIMENT for what g3dr run printed.")
    ],
    root: WhereRoot = "results",
    attempt: Annotated[int | None, typer.Option(min=1, help="Number of the attempt; the newest if it is not given.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until nobody computes the run any more.")] = False,
) -> None:
    """Show what a run logged: the newest attempt at it, or another one. Of an experiment: what the job printed that computed it.

    A log is written every few seconds, and keeps its beginning and its end if it is long.

    Example: g3dr logs quickstart/pretrain --follow
    """
    store = open_store(root)
    store.check()
    shown: _Subject = _OfExperiment(store, run) if "/" not in run and run in experiments(store) else _OfRun(store, find_run(store, run))
    if follow:
        _follow(shown, attempt)
    else:
        _show(shown, attempt)
    shown.say_next()


class _Subject(Protocol):
    """What has logs, one for each attempt at it."""

    store: Store
    folder: str
    why_none: str

    @property
    def name(self) -> str:
        """For sentences."""

    @property
    def state(self) -> str:
        """How it stands."""

    @property
    def is_computed(self) -> bool:
        """Tells whether somebody computes it now."""

    def say_next(self) -> None:
        """Says how it stands, and what one may do."""


class _OfRun:
    why_none = "it has not begun or was made by an older version"

    def __init__(self, store: Store, run: NamedRun) -> None:
        self.store, self._run, self.folder = store, run.run, f"runs/{run.run}/logs"
        self.name = f"run {run.run}"

    @property
    def state(self) -> str:
        status = Ledger(self.store).status(self._run)
        return "missing" if status is None else status.state + (f" ({status.error})" if status.error else "")

    @property
    def is_computed(self) -> bool:
        holder = Leases(self.store).holder(self._run)
        return holder is not None and not holder.gone

    def say_next(self) -> None:
        is_open = self.state.startswith(("failed", "cancelled"))
        for failure in Ledger(self.store).failures(self._run):
            keys = f" (batch: {', '.join(failure.keys)})" if failure.keys else ""
            typer.echo(f"attempt {failure.attempt} failed, {failure.kind}: {failure.sentence}{keys}", err=True)
        advice = f"g3dr retry {self._run} --root {self.store.uri}" if is_open else f"g3dr status --root {self.store.uri}"
        typer.echo(f"{self.name}: {self.state}{_others(self)}\nnext: {advice}", err=True)


class _OfExperiment:
    why_none = "it was computed on a terminal or from Python; its runs have theirs, as EXPERIMENT/STAGE/LABEL"

    def __init__(self, store: Store, experiment: str) -> None:
        self.store, self._experiment, self.folder = store, experiment, job_logs(experiment)
        self.name = f"experiment {experiment}"

    @property
    def state(self) -> str:
        newest = next(iter(read_live(self.store, self._experiment)), None)
        if newest is None:
            return "nobody computes it"
        return newest.state if newest.is_running or newest.state != "running" else "running, and not heard of for a while"

    @property
    def is_computed(self) -> bool:
        return any(live.is_running for live in read_live(self.store, self._experiment))

    def say_next(self) -> None:
        typer.echo(f"{self.name}: {self.state}{_others(self)}\nnext: g3dr status {self._experiment} --root {self.store.uri}", err=True)


@dataclass(frozen=True)
class _Log:
    path: str
    attempt: int
    worker: int

    @property
    def title(self) -> str:
        return f"attempt {self.attempt}" + (f", worker {self.worker}" if self.worker else "")


def _show(subject: _Subject, attempt: int | None) -> None:
    shown = _logs_of(subject, attempt)
    for log in shown:
        if len(shown) > 1:
            print(f"== {log.title} ==")
        print(subject.store.read_bytes(log.path).decode(errors="replace"), end="", flush=True)


def _logs_of(subject: _Subject, attempt: int | None) -> list[_Log]:
    """Returns the logs of an attempt, the first worker's first.

    Raises:
        G3drError: There is none.
    """
    found = _all_logs(subject)
    if not found:
        raise G3drError(f"{subject.name}: has no log, {subject.why_none}; its state: {subject.state}")
    numbers = sorted({log.attempt for log in found})
    if attempt is not None and attempt not in numbers:
        raise G3drError(f"{subject.name}: no log of attempt {attempt}; allowed: {', '.join(map(str, numbers))}")
    return sorted((log for log in found if log.attempt == (attempt or numbers[-1])), key=lambda log: log.worker)


def _all_logs(subject: _Subject) -> list[_Log]:
    names = ((path, _NAME.fullmatch(path.rpartition("/")[2])) for path in subject.store.list(subject.folder))
    return [_Log(path, int(match[1]), int(match[2] or 0)) for path, match in names if match]


def _others(subject: _Subject) -> str:
    attempts = sorted({log.attempt for log in _all_logs(subject)})
    return f"; logs of attempts {', '.join(map(str, attempts))}" if len(attempts) > 1 else ""


def _follow(subject: _Subject, attempt: int | None) -> None:
    """Prints what is new of the newest attempt until nobody computes it; goes on with the next attempt."""
    log, shown = "", b""
    while True:
        is_computed = subject.is_computed
        newest = _first_log(subject, attempt)
        if newest is not None:
            if newest.path != log:
                print(f"== {newest.title} ==")
                log, shown = newest.path, b""
            text = subject.store.read_bytes(log)
            print(_new_part(shown, text).decode(errors="replace"), end="", flush=True)
            shown = text
        if not is_computed:
            break
        time.sleep(_FOLLOW_SECONDS)


def _first_log(subject: _Subject, attempt: int | None) -> _Log | None:
    try:
        return _logs_of(subject, attempt)[0]
    except G3drError:
        return None


def _new_part(before: bytes, now: bytes) -> bytes:
    """Returns what was added to a log, whose middle may have been left out meanwhile: what follows the last line that was shown."""
    if now.startswith(before):
        return now[len(before) :]
    last = before.rstrip(b"\n").rpartition(b"\n")[2] + b"\n"
    place = now.rfind(last)
    return now[place + len(last) :] if place >= 0 else b"... lines left out here ...\n" + now[len(now) // 2 :].partition(b"\n")[2]
