"""What a sweep has tried: the results of trials, the best of them, and their names."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.experiment.axes import Axis
from orchestrator.experiment.settings import Assignment

Axes = Mapping[str, Axis]


@dataclass(frozen=True)
class TrialResult:
    """A trial that is over.

    Attributes:
        index: Its number.
        assignment: Its values by dotted path; an axis whose condition does not hold is not among them.
        values: What it reached in each objective, the mean over its seeds; None if it failed, or if a number is missing or not finite.
    """

    index: int
    assignment: Assignment
    values: tuple[float, ...] | None

    @property
    def value(self) -> float | None:
        """What it reached in the first objective."""
        return None if self.values is None else self.values[0]


def usable(values: Sequence[float | None]) -> tuple[float, ...] | None:
    """Returns the values if all of them are finite numbers, else None."""
    finite = tuple(value for value in values if value is not None and math.isfinite(value))
    return finite if len(finite) == len(values) else None


def best_of(results: Sequence[TrialResult], mode: str) -> TrialResult | None:
    """Returns the trial that is best in the first objective, the earliest among equals; None if none has a value."""
    sign = 1 if mode == "min" else -1
    return min((trial for trial in results if trial.values), key=lambda trial: (sign * (trial.value or 0.0), trial.index), default=None)


def label_of(assignment: Assignment) -> str:
    """Returns the values in a few words; section names that say nothing are left out."""
    return ", ".join(f"{path.removeprefix('objective.').removeprefix('training.')}={_short(value)}" for path, value in assignment.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
