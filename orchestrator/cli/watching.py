"""Shows an experiment while it runs: a moving table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from orchestrator.watching import Watch

PLAIN_SECONDS = 10.0
_SHOWN_METRICS = ("loss", "novel_psnr", "canonical_psnr", "depth_rmse")


def _metrics_text(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {metrics[name]:.4g}" for name in _SHOWN_METRICS if name in metrics)


class PlainWatch(Watch):
    """Prints a line at every start and end, and one every ten seconds between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = 0.0
        self._task = ""

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
        """Prints the start and the end of a task, and a line every ten seconds."""
        if description != self._task or done >= total or time.monotonic() - self._last >= PLAIN_SECONDS:
            if description == self._task and done >= total and self._last == float("inf"):
                return
            self._task, self._last = description, time.monotonic()
            self.note(f"{description}: {done} of {total}")


class LiveWatch(PlainWatch):
    """Adds bars that move: one a stage, one a run that is being computed."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[news]}", style="dim", markup=False),
            console=console,
            transient=True,
        )
        self._stage: TaskID | None = None
        self._runs: dict[str, TaskID] = {}

    def __enter__(self) -> "LiveWatch":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:
        """Opens the stage's bar."""
        super().stage_started(stage, kind, runs, finished)
        self._stage = self._bars.add_task(stage, total=runs, completed=finished, news="runs")

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """Moves the run's bar."""
        if label not in self._runs:
            self._runs[label] = self._bars.add_task(f"  {label}", total=steps, news="")
        self._bars.update(self._runs[label], completed=step, news=_metrics_text(metrics))

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        """Closes the run's bar and moves the stage's."""
        if label in self._runs:
            self._bars.remove_task(self._runs.pop(label))
        if self._stage is not None:
            self._bars.advance(self._stage)
        if error:
            super().run_ended(label, state, error)

    def stage_ended(self, stage: str, seconds: float) -> None:
        """Closes the stage's bar."""
        if self._stage is not None:
            self._bars.remove_task(self._stage)
        self._stage = None
        super().stage_ended(stage, seconds)

    def task(self, description: str, done: int, total: int) -> None:
        """Moves the bar of work outside of runs."""
        if description not in self._runs:
            self._runs[description] = self._bars.add_task(description, total=total, news="")
        self._bars.update(self._runs[description], completed=done, total=total)
        if done >= total:
            self._bars.remove_task(self._runs.pop(description))
