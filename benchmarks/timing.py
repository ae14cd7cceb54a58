"""Times two computations in turns, so that whatever else the machine does falls on both."""

import statistics
import time
from dataclasses import dataclass

import torch

from benchmarks.figures import Comparison, Computation, Result

FEWEST_ROUNDS = 3


@dataclass(frozen=True)
class Timings:
    """Medians of both sides.

    Attributes:
        ours_s: Seconds of one call.
        reference_s: Seconds of one call of the baseline, None where there is none.
        difference: How far apart the results of the first calls were, None where there is no baseline.
        rounds: How often each side was timed.
    """

    ours_s: float
    reference_s: float | None
    difference: float | None
    rounds: int


def timed(computation: Computation, device: torch.device) -> tuple[float, Result]:
    """Returns the seconds of one call and its result; on a GPU between two events on its stream."""
    if device.type != "cuda":
        start = time.perf_counter()
        result = computation()
        return time.perf_counter() - start, result
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize(device)
    begin.record()
    result = computation()
    end.record()
    torch.cuda.synchronize(device)
    return begin.elapsed_time(end) / 1000, result


def interleaved(comparison: Comparison, device: torch.device, seconds: float) -> Timings:
    """Times both sides in turns after one untimed call of each.

    Args:
        comparison: The two sides.
        device: Where they compute.
        seconds: How long to go on; at least three rounds are timed.
    """
    sides = [side for side in (comparison.ours, comparison.reference) if side is not None]
    results = [timed(side, device)[1] for side in sides]
    difference = comparison.difference(results[0], results[1]) if len(results) == 2 else None
    del results
    rounds = _rounds(sides, device, seconds)
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    return Timings(medians[0], medians[1] if len(sides) == 2 else None, difference, len(rounds))


def _rounds(sides: list[Computation], device: torch.device, seconds: float) -> list[list[float]]:
    start, rounds = time.perf_counter(), list[list[float]]()
    while len(rounds) < FEWEST_ROUNDS or time.perf_counter() - start < seconds:
        rounds.append([timed(side, device)[0] for side in sides])
    return rounds
