"""Averages that grow batch by batch and merge across workers.

All accumulators have one shape: `update` takes a batch, `merge` takes another worker's, `compute` gives the value. None of them
changes: each step returns a new one. Sums are in float64, so neither the split into batches nor the order of merging matters
beyond its rounding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Mean:
    """A sum in float64 with its count.

    Attributes:
        total: Sum of the values that are known.
        count: How many those are.
    """

    total: float = 0.0
    count: int = 0

    @classmethod
    def of(cls, values: Float[Tensor, "batch"]) -> "Mean":
        """Takes the values that are not NaN."""
        known = values.double()[~values.isnan()]
        return cls(float(known.sum()), known.numel())

    def update(self, values: Float[Tensor, "batch"]) -> "Mean":
        """Returns the accumulator with these values too; NaN is unknown and does not count."""
        return self.merge(Mean.of(values))

    def merge(self, other: "Mean") -> "Mean":
        """Returns the accumulator of both."""
        return Mean(self.total + other.total, self.count + other.count)

    def compute(self) -> float | None:
        """Returns the mean, or None where nothing was known."""
        return self.total / self.count if self.count else None

    @property
    def value(self) -> float | None:
        """The same as `compute`."""
        return self.compute()


@dataclass(frozen=True)
class Means:
    """Means of several metrics, by name; batches need not have the same ones.

    Attributes:
        parts: Accumulator of each.
    """

    parts: Mapping[str, Mean] = field(default_factory=dict)

    def update(self, values: Mapping[str, Float[Tensor, "batch"]]) -> "Means":
        """Returns the accumulator with one value per image and metric added."""
        return self.merge(Means({name: Mean.of(column) for name, column in values.items()}))

    def merge(self, other: "Means") -> "Means":
        """Returns the accumulator of both."""
        names = {**self.parts, **other.parts}
        return Means({name: self.parts.get(name, Mean()).merge(other.parts.get(name, Mean())) for name in names})

    def compute(self) -> dict[str, float | None]:
        """Returns the mean of each metric; None where nothing was known."""
        return {name: part.compute() for name, part in self.parts.items()}
