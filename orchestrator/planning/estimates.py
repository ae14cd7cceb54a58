"""How long a stage will take, from what runs took before. What was never measured is unknown; nothing is assumed.

Rules, in this order, for the seconds of a step:
1. measured: runs of equal work (`work.py`) on the same kind of machine; from the 10th to the 90th percentile, at least 15 % either way;
2. scaled: runs of the same family, in proportion to the pixels of a worker's batch; from half to double;
3. the finished runs of this plan itself, whose machine nobody recorded; from half to double;
4. unknown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np

from orchestrator.planning.durations import Span, total
from orchestrator.planning.timings import Timing
from orchestrator.planning.work import Work, work_of
from orchestrator.runs import RunRequest

Basis = Literal["measured", "scaled", "unknown"]
Value = TypeVar("Value")
_WIDTH = 0.15
_DOUBT = 2.0


@dataclass(frozen=True)
class Pace:
    """Seconds of one step, or of all else of a run.

    Attributes:
        seconds: Least and most.
        basis: How well it is known.
        samples: Runs it is known from.
    """

    seconds: Span
    basis: Basis
    samples: int


@dataclass(frozen=True)
class StageTime:
    """How long a stage will take.

    Attributes:
        seconds: Least and most; None if some of its runs are like nothing that was measured.
        basis: The weakest rule that was needed.
        samples: Runs it is known from.
    """

    seconds: Span | None = None
    basis: Basis = "unknown"
    samples: int = 0


@dataclass(frozen=True)
class Job:
    """A run that is still to do.

    Attributes:
        request: The run, or one like it.
        steps: Steps that it has left.
        count: How many such there are.
    """

    request: RunRequest
    steps: int
    count: int = 1


@dataclass(frozen=True)
class Measurements:
    """Everything that time is estimated from.

    Attributes:
        timings: What workers measured.
        own: Seconds per step of this plan's finished runs with their works, whose machines are not known.
        starts: Seconds that stages took beside their runs, by executor.
        machine: Kind of the machine that will compute, by whether GPUs are asked for; None if it is not known.
    """

    timings: Sequence[Timing] = ()
    own: Sequence[tuple[Work, float]] = ()
    starts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    machine: Callable[[float], str | None] = lambda _: None

    @cached_property
    def _by_family(self) -> dict[str, list[Timing]]:
        return _grouped((timing.family, timing) for timing in self.timings)

    @cached_property
    def _own_by_family(self) -> dict[str, list[tuple[Work, float]]]:
        return _grouped((work.family, (work, pace)) for work, pace in self.own)

    def _alike(self, work: Work, request: RunRequest) -> list[Timing]:
        machine = self.machine(request.gpus_per_worker)
        return [timing for timing in self._by_family.get(work.family, ()) if machine in (None, timing.machine)]

    def step(self, request: RunRequest) -> Pace | None:
        """Returns the seconds of a step of a run; None if nothing like it was measured."""
        work = work_of(request)
        timed = [timing for timing in self._alike(work, request) if timing.seconds_per_step > 0]
        exact = [timing.seconds_per_step for timing in timed if timing.work == work.id]
        if exact:
            return Pace(measured(exact), "measured", len(exact))
        near = [(timing.size, timing.seconds_per_step) for timing in timed] or [
            (other.size, pace) for other, pace in self._own_by_family.get(work.family, ()) if pace > 0
        ]
        return scaled(near, work.size)

    def rest(self, request: RunRequest) -> Pace | None:
        """Returns the seconds of all else of a run: reading, building, checkpoints, its measurement."""
        work = work_of(request)
        timed = self._alike(work, request)
        exact = [timing.overhead_seconds for timing in timed if timing.images == work.images]
        if exact:
            return Pace(measured(exact), "measured", len(exact))
        return Pace(doubted(float(np.median([timing.overhead_seconds for timing in timed]))), "scaled", len(timed)) if timed else None

    def start(self, executor: str) -> Span:
        """Returns the seconds before the first run of a stage begins; nothing where that was never measured."""
        known = self.starts.get(executor, ())
        return Span(min(known), max(known)) if known else Span()


def _grouped(pairs: Iterable[tuple[str, Value]]) -> dict[str, list[Value]]:
    groups: dict[str, list[Value]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def measured(values: Sequence[float]) -> Span:
    """Returns the middle 80 % of measured values, and at least 15 % around their median."""
    low, middle, high = np.percentile(values, [10, 50, 90])
    return Span(float(min(low, middle * (1 - _WIDTH))), float(max(high, middle * (1 + _WIDTH))))


def doubted(value: float) -> Span:
    """Returns half to double."""
    return Span(value / _DOUBT, value * _DOUBT)


def scaled(near: Sequence[tuple[float, float]], size: float) -> Pace | None:
    """Returns the pace at `size` from measured (size, seconds): those of the nearest size, in proportion, with doubt."""
    if not near:
        return None
    nearest = min((other for other, _ in near), key=lambda other: abs(np.log(other / size)))
    values = [seconds * size / nearest for other, seconds in near if other == nearest]
    return Pace(doubted(float(np.median(values))), "scaled", len(values))


def stage_time(jobs: Sequence[Job], at_once: int, executor: str, known: Measurements) -> StageTime:
    """Returns how long the jobs of a stage take together, `at_once` of them at a time.

    Whatever their order, that is at least their sum over `at_once` and at least the longest, and at most the former and the longest
    together (Graham, 1966).
    """
    if not jobs:
        return StageTime(Span(), "measured", 0)
    spans: list[tuple[Span, int]] = []
    bases: list[Pace] = []
    for job in jobs:
        paces = _paces(job, known)
        if paces is None:
            return StageTime()
        spans.append((total([pace.seconds.times(factor) for pace, factor in paces]), job.count))
        bases += [pace for pace, _ in paces]
    basis: Basis = "scaled" if any(pace.basis == "scaled" for pace in bases) else "measured"
    return StageTime(_together(spans, max(1, at_once)) + known.start(executor), basis, max(pace.samples for pace in bases))


def _paces(job: Job, known: Measurements) -> list[tuple[Pace, int]] | None:
    """Steps with their number, and the rest once; None if either was never measured."""
    rest = known.rest(job.request)
    if job.steps == 0:
        return [(rest, 1)] if rest else None
    step = known.step(job.request)
    if step is None:
        return None
    return [(step, job.steps), (rest, 1)] if rest else [(step, job.steps)]


def _together(spans: Sequence[tuple[Span, int]], at_once: int) -> Span:
    whole = total([span.times(count) for span, count in spans])
    longest = Span(max(span.low for span, _ in spans), max(span.high for span, _ in spans))
    low = max(whole.low / at_once, longest.low)
    return Span(low, whole.high / at_once + longest.high * (1 - 1 / at_once))
