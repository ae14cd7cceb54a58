"""Means that grow batch by batch and merge across workers."""

from dataclasses import dataclass

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

    def merge(self, other: "Mean") -> "Mean":
        """Returns the accumulator of both."""
        return Mean(self.total + other.total, self.count + other.count)

    @property
    def value(self) -> float | None:
        """The mean, or None where nothing was known."""
        return self.total / self.count if self.count else None
