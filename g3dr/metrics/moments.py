"""Mean and covariance of features, for more pictures than one wants to keep the features of."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.errors import DataError


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter matrix in float64; merges across workers.

    Attributes:
        count: Number of pictures.
        average: Mean feature; of no width while there are no pictures.
        scatter: Sum of outer products of the deviations from the mean.
    """

    count: int = 0
    average: Float[Tensor, "feature"] = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))
    scatter: Float[Tensor, "feature feature"] = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.float64))

    @classmethod
    def of(cls, features: Float[Tensor, "sample feature"]) -> "Moments":
        """Takes a batch of features to the CPU."""
        if not features.shape[0]:
            return cls()
        features = features.double().cpu()
        average = features.mean(dim=0)
        centred = features - average
        return cls(features.shape[0], average, centred.T @ centred)

    def update(self, features: Float[Tensor, "sample feature"]) -> "Moments":
        """Returns the moments with this batch too."""
        return self.merge(Moments.of(features))

    def merge(self, other: "Moments") -> "Moments":
        """Returns the moments of both sets as one [Chan et al., 1979]: no cancellation of large sums."""
        if not (self.count and other.count):
            return self if self.count else other
        count = self.count + other.count
        shift = other.average - self.average
        scatter = self.scatter + other.scatter + torch.outer(shift, shift) * (self.count * other.count / count)
        return Moments(count, self.average + shift * (other.count / count), scatter)

    def compute(self) -> tuple[Float[Tensor, "feature"], Float[Tensor, "feature feature"]]:
        """Returns the mean and the unbiased covariance.

        Raises:
            DataError: There are fewer than two pictures.
        """
        require_two(self.count)
        return self.average, self.scatter / (self.count - 1)

    def mean(self) -> Float[Tensor, "feature"]:
        """Returns the mean feature."""
        return self.average

    def factor(self) -> Float[Tensor, "feature rank"]:
        """Returns a matrix A with A A^T = unbiased covariance.

        Directions whose variance is only rounding are left out: their roots would be far larger than rounding.
        """
        values, vectors = torch.linalg.eigh(self.compute()[1])
        kept = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
        factor: Tensor = vectors[:, kept] * values[kept].sqrt()
        return factor


def require_two(count: int) -> None:
    """Refuses a covariance of fewer than two pictures.

    Raises:
        DataError: There are fewer.
    """
    if count < 2:
        raise DataError(f"A covariance needs at least 2 pictures, got {count}.")
