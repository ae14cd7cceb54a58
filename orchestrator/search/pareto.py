"""Trials that no other trial beats in every objective."""

from collections.abc import Sequence

from orchestrator.search.trials import TrialResult


def pareto(results: Sequence[TrialResult], modes: Sequence[str]) -> list[TrialResult]:
    """Returns the trials that no other dominates, in the order in which they were given.

    One trial dominates another if it is no worse in any objective and better in one; of equal trials all are kept, and one
    that has no values is never among them. With one objective these are the best trial and its equals.

    Args:
        results: Trials that are over.
        modes: `min` or `max` for each objective.
    """
    points = {position: _losses(result.values, modes) for position, result in enumerate(results) if result.values is not None}
    front: list[tuple[float, ...]] = []
    # A point can only be dominated by one that comes before it in this order.
    for point in sorted(set(points.values())):
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in front):
            front.append(point)
    kept = set(front)
    return [result for position, result in enumerate(results) if points.get(position) in kept]


def _losses(values: Sequence[float], modes: Sequence[str]) -> tuple[float, ...]:
    return tuple(value if mode == "min" else -value for value, mode in zip(values, modes, strict=True))
