"""Makes numbers for Prometheus from the news of an experiment: only additions in memory, so that no news waits for anything."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from orchestrator.observing import catalog
from orchestrator.observing.catalog import Metric
from orchestrator.planning.expense import Estimate, Rent
from orchestrator.running.board import Board
from orchestrator.running.snapshot import Snapshot
from orchestrator.store.patience import retries_so_far


class Sample(NamedTuple):
    """A number of a metric.

    Attributes:
        metric: Which.
        labels: Values in the order of the metric's labels.
        value: Of a counter, the sum since the tally began.
    """

    metric: Metric
    labels: tuple[str, ...]
    value: float


class Tally(Board):
    """A board that also counts what only grows.

    Args:
        experiment: Its name.
        clock: Seconds that never go back.
        now: Seconds since 1970.
    """

    def __init__(self, experiment: str, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._experiment, self._now = experiment, now
        self._grown: dict[tuple[Metric, tuple[str, ...]], float] = defaultdict(float)
        self._over: dict[str, list[Sample]] = {}
        self._reached: dict[str, int] = {}
        self._rent: Rent | None = None
        self._charged, self._news = clock(), now()
        self._retries_before = retries_so_far()

    # news

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:
        """Counts from zero what belongs to one stage."""
        with self._lock:
            super().stage_started(stage, kind, runs, finished)
            self._reached, self._rent, self._charged, self._news = {}, None, self._clock(), self._now()
            for metric in (catalog.STEPS, catalog.REPEATED):
                self._grow(metric, 0.0)

    def stage_estimated(self, estimate: Estimate) -> None:
        """Takes over what machines cost."""
        with self._lock:
            super().stage_estimated(estimate)
            self._charge()
            self._rent = estimate.rent

    def run_started(self, label: str, run: str, steps: int) -> None:
        """Its machine is paid for from here on."""
        self._heard()
        super().run_started(label, run, steps)

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """See `Board`."""
        self._heard()
        super().run_progress(label, step, steps, metrics)

    def run_waits(self, label: str, reason: str) -> None:
        """What waits for a place pays for none."""
        with self._lock:
            self._charge()
            super().run_waits(label, reason)

    def run_retried(self, label: str, attempt: int, reason: str) -> None:
        """Its place is free until it is tried again."""
        self._heard()
        super().run_retried(label, attempt, reason)

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        """Its place is free."""
        self._heard()
        super().run_ended(label, state, error)

    def steps_done(self, label: str, step: int, done: int) -> None:
        """Counts steps, and those of them that lie below what the run had reached already."""
        with self._lock:
            again = max(0, min(step, self._reached.get(label, 0)) - (step - done))
            self._reached[label] = max(step, self._reached.get(label, 0))
            self._grow(catalog.STEPS, done)
            self._grow(catalog.REPEATED, again)

    def run_mishap(self, label: str, kind: str, *, final: bool) -> None:
        """Counts it."""
        with self._lock:
            super().run_mishap(label, kind, final=final)
            self._grow(catalog.FAILURES, 1, kind)
            if not final:
                self._grow(catalog.RETRIES, 1, kind)

    def stage_ended(self, stage: str, seconds: float) -> None:
        """Keeps the stage's last numbers beside those of the next."""
        with self._lock:
            self._close()
            super().stage_ended(stage, seconds)

    def experiment_ended(self, state: str) -> None:
        """What was computed is computed no more."""
        with self._lock:
            self._close()
            super().experiment_ended(state)

    # numbers

    def samples(self) -> list[Sample]:
        """Returns all numbers as they are now."""
        with self._lock:
            self._charge()
            retries = retries_so_far() - self._retries_before
            grown = [Sample(metric, labels, value) for (metric, labels), value in self._grown.items()]
            over = [sample for samples in self._over.values() for sample in samples]
            return [*over, *self._of_stage(self.snapshot()), *grown, Sample(catalog.STORE, (self._experiment,), retries)]

    def _heard(self) -> None:
        with self._lock:
            self._charge()
            self._news = self._now()

    def _charge(self) -> None:
        """Adds the price of the time since the last change for the runs that were computed in it."""
        now = self._clock()
        if self._rent is not None and self._stage:
            computed = len(self._running.keys() - self._waiting.keys())
            self._grow(catalog.COST, self._rent.per_second(computed) * (now - self._charged), self._rent.currency)
        self._charged = now

    def _grow(self, metric: Metric, amount: float, *more: str) -> None:
        if self._stage:
            self._grown[metric, (self._experiment, self._stage, *more)] += amount

    def _close(self) -> None:
        """Ends the present stage: runs that nobody ended are interrupted."""
        if not self._stage:
            return
        self._charge()
        for label in list(self._running):
            super().run_ended(label, "running", None)
        self._waiting.clear()
        self._over[self._stage] = self._of_stage(self.snapshot(), is_over=True)
        self._stage = ""

    def _of_stage(self, now: Snapshot, *, is_over: bool = False) -> list[Sample]:
        """Returns the gauges of the present stage; none between stages."""
        if not now.stage:
            return []
        stage = (self._experiment, now.stage)
        found = [Sample(catalog.RUNS, (*stage, state), count) for state, count in _states(now).items()]
        found += [Sample(catalog.RATE, stage, sum(run.rate for run in now.running)), Sample(catalog.NEWS, stage, self._news)]
        if now.goal is not None and now.goal.value is not None:
            found.append(Sample(catalog.BEST, (*stage, now.goal.metric), now.goal.value))
        left = (0.0, 0.0) if is_over else (now.seconds_left, now.cost_left)
        if left[0] is not None:
            found.append(Sample(catalog.TIME_LEFT, stage, left[0]))
        if left[1] is not None and now.currency:
            found.append(Sample(catalog.COST_LEFT, (*stage, now.currency), left[1]))
        return found


def _states(now: Snapshot) -> dict[str, int]:
    """Returns how many runs are in which state; one that was handed out and waits for its place is waiting."""
    computed, waiting = {run.label for run in now.running}, set(now.waiting)
    counts = {**dict.fromkeys(catalog.STATES, 0), **now.ended}
    counts["interrupted"] = counts.pop("running", 0)
    counts["running"] = len(computed - waiting)
    counts["waiting"] = len(waiting)
    counts["missing"] = max(0, now.missing - len(waiting - computed))
    return {state: counts[state] for state in catalog.STATES}
