"""Collects the news of a running experiment into one picture of the present, for whoever draws or writes it down."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.planning.expense import Estimate
from orchestrator.running.snapshot import RunNow, Snapshot, finite
from orchestrator.running.watching import Goal, Watch

RATE_SECONDS = 30.0
_LEAST_SHARE, _LEAST_SECONDS = 0.01, 5.0  # of a stage must be over before its own pace says when it ends


@dataclass
class _Run:
    """A run that is being computed: its newest report, and the reports of the last half minute for its rate."""

    began: float
    run: str = ""
    step: int = 0
    steps: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    first: int | None = None
    reports: deque[tuple[float, int]] = field(default_factory=deque)

    def report(self, now: float, step: int) -> None:
        self.step = step
        self.first = step if self.first is None else self.first
        self.reports.append((now, step))
        while len(self.reports) > 2 and self.reports[1][0] < now - RATE_SECONDS:
            self.reports.popleft()

    @property
    def rate(self) -> float:
        (first, begin), (last, end) = (self.reports[0], self.reports[-1]) if self.reports else ((0.0, 0), (0.0, 0))
        return max(0.0, (end - begin) / (last - first)) if last > first else 0.0

    @property
    def share(self) -> float:
        return min(1.0, self.step / self.steps) if self.steps else 0.0

    @property
    def share_before(self) -> float:
        """What an earlier attempt did, as far as the first report tells."""
        return min(1.0, (self.first or 0) / self.steps) if self.steps and self.first != self.step else self.share


class Board(Watch):
    """Remembers what is needed to draw the present; safe to be read from another thread.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.RLock()
        self._stage, self._kind, self._total, self._before = "", "", 0, 0
        self._began = clock()
        self._ended: Counter[str] = Counter()
        self._running: dict[str, _Run] = {}
        self._waiting: dict[str, str] = {}
        self._goal: Goal | None = None
        self._estimate = Estimate()
        self._estimated = self._began
        self._error = ""
        self._tasks: dict[str, tuple[int, int]] = {}
        self._stages_done: dict[str, float] = {}
        self._note = ""

    def note(self, text: str) -> None:
        """Remembers the sentence until a stage begins."""
        with self._lock:
            self._note = text

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:
        """Forgets the stage before."""
        with self._lock:
            self._stage, self._kind, self._total, self._before = stage, kind, runs, finished
            self._began = self._clock()
            self._ended = Counter({"finished": finished} if finished else {})
            self._running, self._waiting = {}, {}
            self._goal, self._estimate, self._note = None, Estimate(), ""

    def stage_goal(self, goal: Goal) -> None:
        """Takes over what is best."""
        with self._lock:
            self._goal = goal

    def stage_estimated(self, estimate: Estimate) -> None:
        """Takes over what the plan expects from here on."""
        with self._lock:
            self._estimate, self._estimated = estimate, self._clock()

    def run_started(self, label: str, run: str, steps: int) -> None:
        """Puts a run among those that are computed."""
        with self._lock:
            self._waiting.pop(label, None)
            self._running[label] = _Run(self._clock(), run, 0, steps)

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """Notes where a run is; its numbers may be the best so far."""
        with self._lock:
            now = self._clock()
            found = self._running.setdefault(label, _Run(now))
            self._waiting.pop(label, None)  # it found its place
            found.steps = steps
            found.report(now, step)
            found.metrics = finite(metrics) or found.metrics
            self._compare(label, found.metrics)

    def _compare(self, label: str, metrics: Mapping[str, float]) -> None:
        goal = self._goal
        if goal is None or goal.metric not in metrics:
            return
        value, sign = metrics[goal.metric], 1 if goal.mode == "max" else -1
        if goal.value is None or sign * value > sign * goal.value:
            self._goal = replace(goal, label=label, value=value)

    def run_waits(self, label: str, reason: str) -> None:
        """Notes why a run has not begun."""
        with self._lock:
            self._waiting[label] = reason

    def run_retried(self, label: str, attempt: int, reason: str) -> None:
        """Counts as an error, although it goes on; the run starts over from its checkpoint."""
        with self._lock:
            self._error = f"{label}: {reason} (attempt {attempt} follows)"
            self._running.pop(label, None)

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        """Takes a run off those that are computed."""
        with self._lock:
            self._running.pop(label, None)
            self._waiting.pop(label, None)
            self._ended[state] += 1
            if error:
                self._error = f"{label}: {error}"

    def stage_ended(self, stage: str, seconds: float) -> None:
        """Closes the stage."""
        with self._lock:
            self._stages_done[stage] = seconds
            self._stage, self._running, self._waiting = "", {}, {}

    def task(self, description: str, done: int, total: int) -> None:
        """Notes work outside of runs until it is over."""
        with self._lock:
            self._tasks[description] = (done, total)
            if done >= total:
                del self._tasks[description]

    def snapshot(self) -> Snapshot:
        """Returns the present."""
        with self._lock:
            now = self._clock()
            left = self._seconds_left(now)
            running = sorted(self._running.items(), key=lambda item: item[1].began)
            whole = self._estimate.seconds
            share = min(1.0, left / whole) if left is not None and whole else 1.0
            return Snapshot(
                stage=self._stage,
                kind=self._kind,
                runs=self._total,
                ended=dict(self._ended),
                running=tuple(_run_now(label, run, now) for label, run in running),
                waiting=dict(self._waiting),
                goal=self._goal,
                seconds=now - self._began,
                seconds_left=left,
                cost_left=None if self._estimate.cost is None else self._estimate.cost * share,
                currency=self._estimate.currency,
                last_error=self._error,
                task=next(((what, done, total) for what, (done, total) in self._tasks.items()), None),
                stages_done=dict(self._stages_done),
                note=self._note,
            )

    def _seconds_left(self, now: float) -> float | None:
        """Counts by the stage's own pace as soon as it has one, by the plan's estimate before that."""
        passed = now - self._began
        new = max(1, self._total - self._before)
        over = sum(self._ended.values()) - self._before + sum(run.share for run in self._running.values())
        done = over - sum(run.share_before for run in self._running.values())
        if done / new >= _LEAST_SHARE and passed >= _LEAST_SECONDS:
            return max(0.0, (new - over) * passed / done)
        planned = self._estimate.seconds
        return None if planned is None else max(0.0, planned - (now - self._estimated))


def _run_now(label: str, run: _Run, now: float) -> RunNow:
    return RunNow(label, run.run, run.step, run.steps, run.rate, now - run.began, run.metrics)
