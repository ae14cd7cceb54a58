"""Shows an experiment while it runs: moving bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from typing import Self

from rich.console import Console

from orchestrator.cli.progress import Bars, Lines
from orchestrator.watching import Watch

PLAIN_SECONDS = 10.0
_SHOWN_METRICS = ("loss", "novel_psnr", "canonical_psnr", "depth_rmse")


def watch_on(console: Console) -> "PlainWatch":
    """Returns the watch that suits a console; enter it as a context before the work begins."""
    return LiveWatch(console) if console.is_terminal else PlainWatch(console)


def _metrics_text(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {metrics[name]:.4g}" for name in _SHOWN_METRICS if name in metrics)


class PlainWatch(Watch):
    """Prints a line at every start and end, and of runs one every ten seconds between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: Bars | Lines = Lines(console)
        self._last = 0.0

    def __enter__(self) -> Self:
        self._shown.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.__exit__(*_)

    def note(self, text: str) -> None:
        """Prints the sentence."""
        self._console.print(text, markup=False, highlight=False)

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:
        """Prints how much there is to do."""
        there = f", {finished} already in the ledger" if finished else ""
        self.note(f"{stage} ({kind}): {runs} {'run' if runs == 1 else 'runs'}{there}")

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """Prints a line, if the last is old enough."""
        if time.monotonic() - self._last >= PLAIN_SECONDS:
            self._last = time.monotonic()
            self.note(f"  {label}: step {step} of {steps}  {_metrics_text(metrics)}")

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        """Prints the outcome."""
        self.note(f"  {label}: {state}" + (f": {error}" if error else ""))

    def stage_ended(self, stage: str, seconds: float) -> None:
        """Prints the time it took."""
        self.note(f"{stage}: done in {seconds:.0f} s")

    def task(self, description: str, done: int, total: int) -> None:
        """Shows how far work outside of runs is."""
        self._shown.move(description, done, total)
        if done >= total:
            self._shown.close(description)


class LiveWatch(PlainWatch):
    """Moves bars: one a stage, one a run that is being computed, one a piece of other work."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._shown = Bars(console)
        self._stage: str | None = None
        self._ended, self._runs = 0, 0

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:
        """Opens the stage's bar."""
        super().stage_started(stage, kind, runs, finished)
        self._stage, self._ended, self._runs = stage, finished, runs
        self._shown.move(stage, finished, runs, news="runs")

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """Moves the run's bar."""
        self._shown.move(f"  {label}", step, steps, "steps", _metrics_text(metrics))

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        """Closes the run's bar and moves the stage's."""
        self._shown.close(f"  {label}")
        if self._stage is not None:
            self._ended += 1
            self._shown.move(self._stage, self._ended, self._runs, news="runs")
        if error:
            super().run_ended(label, state, error)

    def stage_ended(self, stage: str, seconds: float) -> None:
        """Closes the stage's bar."""
        self._shown.close(stage)
        self._stage = None
        super().stage_ended(stage, seconds)
