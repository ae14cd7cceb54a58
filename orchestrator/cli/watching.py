"""Shows an experiment while it runs: a table that lives on a terminal, few plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

from orchestrator.cli.live_table import best_text, counts_text, draw, left_text
from orchestrator.cli.progress import Lines
from orchestrator.running.board import Board
from orchestrator.running.snapshot import Snapshot

PLAIN_SECONDS = 10.0
FEW_RUNS = 20
"""Up to so many new runs of a stage are told about one by one, in plain lines."""

MOST_ERRORS = 10
"""So many errors of a stage are told in full; the rest are counted, and are in the ledger."""

_SHOWN_METRICS = ("loss", "novel_psnr", "canonical_psnr", "depth_rmse")
_PER_SECOND = 4


def watch_on(console: Console) -> "PlainWatch":
    """Returns the watch that suits a console; enter it as a context before the work begins."""
    return LiveWatch(console) if console.is_terminal else PlainWatch(console)


def _metrics_text(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {metrics[name]:.4g}" for name in _SHOWN_METRICS if name in metrics)


class PlainWatch(Board):
    """Prints lines that stay: where stages begin and end, what failed, and where everything is every ten seconds."""

    def __init__(self, console: Console) -> None:
        super().__init__(time.monotonic)
        self._console, self._lines = console, Lines(console)
        self._last = time.monotonic()
        self._tells_each, self._errors = True, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def note(self, text: str) -> None:
        """Prints the sentence."""
        super().note(text)
        self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:
        """Prints how much there is to do."""
        super().stage_started(stage, kind, runs, finished)
        self._tells_each, self._errors = runs - finished <= FEW_RUNS, 0
        there = f", {finished:,} already in the ledger" if finished else ""
        self._print(f"{stage} ({kind}): {runs:,} {'run' if runs == 1 else 'runs'}{there}")

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """Prints where everything is, if the last line is old enough."""
        super().run_progress(label, step, steps, metrics)
        self._sum_up()

    def run_retried(self, label: str, attempt: int, reason: str) -> None:
        """Prints why a run is tried again."""
        super().run_retried(label, attempt, reason)
        self._tell_error(f"  {label}: tried again (attempt {attempt}): {reason}")

    def run_waits(self, label: str, reason: str) -> None:
        """Is told with the rest every ten seconds."""
        super().run_waits(label, reason)
        self._sum_up()

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        """Prints what went wrong, and in a small stage every end."""
        super().run_ended(label, state, error)
        if error:
            self._tell_error(f"  {label}: {state}: {error}")
        else:
            self._tell_end(f"  {label}: {state}")

    def stage_ended(self, stage: str, seconds: float) -> None:
        """Prints the time it took and what came of it."""
        now = self.snapshot()
        super().stage_ended(stage, seconds)
        self._print(f"{stage}: done in {seconds:.0f} s{_outcome(now)}")

    def task(self, description: str, done: int, total: int) -> None:
        """Prints how far work outside of runs is."""
        super().task(description, done, total)
        self._lines.move(description, done, total)
        if done >= total:
            self._lines.close(description)

    def _tell(self, text: str) -> None:
        self._last = time.monotonic()
        self._print(text)

    def _tell_end(self, text: str) -> None:
        if self._tells_each:
            self._tell(text)
        else:
            self._sum_up()

    def _tell_error(self, text: str) -> None:
        self._errors += 1
        if self._errors <= MOST_ERRORS:
            self._tell(text)
        if self._errors == MOST_ERRORS:
            self._tell("  further errors of this stage are only counted; g3dr status shows them")

    def _sum_up(self) -> None:
        if time.monotonic() - self._last >= PLAIN_SECONDS:
            self._tell(f"  {plain_line(self.snapshot())}")


class LiveWatch(PlainWatch):
    """Draws a table that is renewed in place, and prints above it what is to stay."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, get_renderable=self.picture, refresh_per_second=_PER_SECOND, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def picture(self) -> RenderableType:
        """Returns what is drawn now."""
        return draw(self.snapshot(), self._console.width, self._console.height)

    def _print(self, text: str) -> None:
        """Prints above the table, which is renewed first: an old, long one would push the sentence off the screen."""
        self._live.refresh()
        super()._print(text)

    def task(self, description: str, done: int, total: int) -> None:
        """Is drawn as a bar."""
        Board.task(self, description, done, total)

    def _tell_end(self, text: str) -> None:
        """The table says it."""

    def _sum_up(self) -> None:
        """The table says it."""


def plain_line(now: Snapshot) -> str:
    """Returns a moment in one line, for files and pipes."""
    parts = [f"{now.stage}: {counts_text(now).plain or 'begins'} of {now.runs:,}"]
    if len(now.running) == 1:
        (run,) = now.running
        parts.append(f"{run.label} at step {run.step:,} of {run.steps:,}  {_metrics_text(run.metrics)}".rstrip())
    parts += [f"best so far {best}"] if (best := best_text(now)) else []
    parts += (
        [f"{len(now.waiting):,} {'waits' if len(now.waiting) == 1 else 'wait'}: {next(iter(now.waiting.values()))}"] if now.waiting else []
    )
    return "; ".join([*parts, *filter(None, [left_text(now)])])


def _outcome(now: Snapshot) -> str:
    """What came of a stage of several runs."""
    if now.runs <= 1:
        return ""
    counts = Counter(now.ended)
    words = ", ".join(f"{counts[state]:,} {state}" for state in ("finished", "stopped", "failed", "cancelled") if counts[state])
    best = best_text(now)
    return f": {words}" + (f"; best {best}" if best else "")
