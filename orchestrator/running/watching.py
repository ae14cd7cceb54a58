"""What a run of an experiment tells whoever watches; the CLI draws it, tests count it, the default ignores it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.planning.expense import Estimate


@dataclass(frozen=True)
class Goal:
    """What makes a run of a stage the best.

    Attributes:
        metric: Name of the number, as in `Score`.
        mode: `min` or `max`.
        label: The best run so far; empty for none.
        value: Its number.
    """

    metric: str
    mode: str
    label: str = ""
    value: float | None = None


class Watch:
    """Receives news of an experiment; every method may be overridden, none must be."""

    def note(self, text: str) -> None:
        """A sentence worth showing once."""

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:
        """A stage with `runs` runs begins, of which `finished` are in the ledger already."""

    def stage_goal(self, goal: Goal) -> None:
        """What the stage that just started compares its runs by, and the best of those that are in the ledger already."""

    def stage_estimated(self, estimate: Estimate) -> None:
        """What is left of the stage; may be told again when it is known better."""

    def run_started(self, label: str, run: str, steps: int) -> None:
        """A run was handed to the cluster."""

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """A run has done `step` of `steps` steps."""

    def steps_done(self, label: str, step: int, done: int) -> None:
        """A run has just done `done` steps, with which it is at `step`; steps that were lost are done, and told, again."""

    def run_mishap(self, label: str, kind: str, *, final: bool) -> None:
        """An attempt at a run ended too early, by the kind of a `Failure`; if that is not `final`, the run is tried again."""

    def run_waits(self, label: str, reason: str) -> None:
        """A run cannot start yet: another orchestrator computes it, or its resources are not there."""

    def run_retried(self, label: str, attempt: int, reason: str) -> None:
        """A run's process was lost, and it is tried for the `attempt`th time."""

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        """A run finished, was stopped early, was cancelled, or failed with a sentence."""

    def stage_ended(self, stage: str, seconds: float) -> None:
        """All runs of a stage are in the ledger."""

    def task(self, description: str, done: int, total: int) -> None:
        """Progress of work outside of runs, such as packing."""

    def experiment_ended(self, state: str) -> None:
        """The experiment is over: `finished`, `failed`, `stopped` or `interrupted`."""


class Together(Watch):
    """Passes all news on to several.

    Args:
        watches: Who gets them, in this order.
    """

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

    def _tell(self, tell: Callable[[Watch], None]) -> None:
        for watch in self._watches:
            tell(watch)

    def note(self, text: str) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.note(text))

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.stage_started(stage, kind, runs, finished))

    def stage_goal(self, goal: Goal) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.stage_goal(goal))

    def stage_estimated(self, estimate: Estimate) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.stage_estimated(estimate))

    def run_started(self, label: str, run: str, steps: int) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.run_started(label, run, steps))

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.run_progress(label, step, steps, metrics))

    def steps_done(self, label: str, step: int, done: int) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.steps_done(label, step, done))

    def run_mishap(self, label: str, kind: str, *, final: bool) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.run_mishap(label, kind, final=final))

    def run_waits(self, label: str, reason: str) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.run_waits(label, reason))

    def run_retried(self, label: str, attempt: int, reason: str) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.run_retried(label, attempt, reason))

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.run_ended(label, state, error))

    def stage_ended(self, stage: str, seconds: float) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.stage_ended(stage, seconds))

    def task(self, description: str, done: int, total: int) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.task(description, done, total))

    def experiment_ended(self, state: str) -> None:
        """See `Watch`."""
        self._tell(lambda watch: watch.experiment_ended(state))
