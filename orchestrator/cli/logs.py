"""`g3dr logs`: what a run logged."""

import re
import time
from dataclasses import dataclass
from typing import Annotated

import typer

from g3dr.errors import G3drError
from orchestrator.cli.options import WhereRoot
from orchestrator.finding import NamedRun, find_run
from orchestrator.ledger import Leases, Ledger
from orchestrator.store import Store, open_store

_FOLLOW_SECONDS = 2.0
_NAME = re.compile(r"(\d+)(?:\.worker(\d+))?\.log")


def logs(
    run: Annotated[str, typer.Argument(help="The beginning of a run's id, or EXPERIMENT/STAGE/LABEL.")],
    root: WhereRoot = "results",
    attempt: Annotated[int | None, typer.Option(min=1, help="Number of the attempt; the newest if it is not given.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until nobody computes the run any more.")] = False,
) -> None:
    """Show what a run logged: the newest attempt at it, or another one.

    A log is written every few seconds, and keeps its beginning and its end if it is long.

    Example: g3dr logs quickstart/pretrain --follow
    """
    store = open_store(root)
    store.check()
    found = find_run(store, run)
    if follow:
        _follow(store, found, attempt)
        return
    shown = _logs_of(store, found.run, attempt)
    for log in shown:
        if len(shown) > 1:
            print(f"== {log.title} ==")
        print(store.read_bytes(log.path).decode(errors="replace"), end="")
    _say_next(store, found)


@dataclass(frozen=True)
class _Log:
    path: str
    attempt: int
    worker: int

    @property
    def title(self) -> str:
        return f"attempt {self.attempt}" + (f", worker {self.worker}" if self.worker else "")


def _logs_of(store: Store, run: str, attempt: int | None) -> list[_Log]:
    """Returns the logs of an attempt, the first worker's first.

    Raises:
        G3drError: There is none.
    """
    found = _all_logs(store, run)
    if not found:
        raise G3drError(f"run {run}: has no log, it has not begun or was made by an older version; its state: {_state(store, run)}")
    numbers = sorted({log.attempt for log in found})
    if attempt is not None and attempt not in numbers:
        raise G3drError(f"run {run}: no log of attempt {attempt}; allowed: {', '.join(map(str, numbers))}")
    return sorted((log for log in found if log.attempt == (attempt or numbers[-1])), key=lambda log: log.worker)


def _all_logs(store: Store, run: str) -> list[_Log]:
    names = ((path, _NAME.fullmatch(path.rpartition("/")[2])) for path in store.list(f"runs/{run}/logs"))
    return [_Log(path, int(match[1]), int(match[2] or 0)) for path, match in names if match]


def _state(store: Store, run: str) -> str:
    status = Ledger(store).status(run)
    return "missing" if status is None else status.state + (f" ({status.error})" if status.error else "")


def _follow(store: Store, found: NamedRun, attempt: int | None) -> None:
    """Prints what is new of the newest attempt until nobody holds the run; goes on with the next attempt."""
    log, shown = "", b""
    while True:
        is_held = _is_held(store, found.run)
        newest = _first_log(store, found.run, attempt)
        if newest is not None:
            if newest.path != log:
                print(f"== {newest.title} ==")
                log, shown = newest.path, b""
            text = store.read_bytes(log)
            print(_new_part(shown, text).decode(errors="replace"), end="", flush=True)
            shown = text
        if not is_held:
            break
        time.sleep(_FOLLOW_SECONDS)
    _say_next(store, found)


def _first_log(store: Store, run: str, attempt: int | None) -> _Log | None:
    try:
        return _logs_of(store, run, attempt)[0]
    except G3drError:
        return None


def _is_held(store: Store, run: str) -> bool:
    holder = Leases(store).holder(run)
    return holder is not None and not holder.gone


def _new_part(before: bytes, now: bytes) -> bytes:
    """Returns what was added to a log, whose middle may have been left out meanwhile: what follows the last line that was shown."""
    if now.startswith(before):
        return now[len(before) :]
    last = before.rstrip(b"\n").rpartition(b"\n")[2] + b"\n"
    place = now.rfind(last)
    return now[place + len(last) :] if place >= 0 else b"... lines left out here ...\n" + now[len(now) // 2 :].partition(b"\n")[2]


def _say_next(store: Store, found: NamedRun) -> None:
    state = _state(store, found.run)
    attempts = sorted({log.attempt for log in _all_logs(store, found.run)})
    others = f"; logs of attempts {', '.join(map(str, attempts))}" if len(attempts) > 1 else ""
    advice = (
        f"next: g3dr retry {found.run} --root {store.uri}"
        if state.startswith(("failed", "cancelled"))
        else f"next: g3dr status --root {store.uri}"
    )
    for failure in Ledger(store).failures(found.run):
        keys = f" (batch: {', '.join(failure.keys)})" if failure.keys else ""
        typer.echo(f"attempt {failure.attempt} failed, {failure.kind}: {failure.sentence}{keys}", err=True)
    typer.echo(f"run {found.run}: {state}{others}\n{advice}", err=True)
