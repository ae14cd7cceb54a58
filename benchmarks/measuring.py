"""One line of the table: time, difference and memory of a figure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.figures import Figure, Setting
from benchmarks.memory import peak_bytes
from benchmarks.timing import interleaved


@dataclass(frozen=True)
class Measurement:
    """What was measured; None where a figure has no baseline or memory cannot be measured.

    Attributes:
        ours_s: Median seconds of one call.
        reference_s: Median seconds of one call of the baseline.
        ratio: How many times faster than the baseline.
        max_difference: How far apart the results are, as a fraction (see the figure for of what).
        ours_bytes: Growth of memory at its peak during one call.
        reference_bytes: Of the baseline.
        memory_ratio: Ours as a fraction of the baseline's.
        per_second: Images or frames per second.
        rounds: How often each side was timed.
        details: What else the figure knows, by name.
    """

    ours_s: float
    reference_s: float | None
    ratio: float | None
    max_difference: float | None
    ours_bytes: int | None
    reference_bytes: int | None
    memory_ratio: float | None
    per_second: float
    rounds: int
    details: Mapping[str, float] = field(default_factory=dict)


def _divided(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def measure(figure: Figure, setting: Setting, seconds: float) -> Measurement:
    """Builds a figure and measures it for about `seconds`."""
    comparison = figure.build(setting)
    timings = interleaved(comparison, setting.device, seconds)
    ours, reference = (peak_bytes(figure, comparison, side, setting) for side in ("ours", "reference"))
    return Measurement(
        ours_s=timings.ours_s,
        reference_s=timings.reference_s,
        ratio=_divided(timings.reference_s, timings.ours_s),
        max_difference=timings.difference,
        ours_bytes=ours,
        reference_bytes=reference,
        memory_ratio=_divided(ours, reference),
        per_second=comparison.items / timings.ours_s,
        rounds=timings.rounds,
        details=comparison.details(),
    )
