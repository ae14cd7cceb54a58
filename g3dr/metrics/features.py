"""What is kept of many pictures for the distribution metrics; merges across workers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from g3dr.backbones.protocols import Extraction
from g3dr.errors import DataError


@dataclass(frozen=True)
class FeatureStatistics:
    """Features and class probabilities of hundreds of pictures, with the source image of each.

    Attributes:
        features: One row per picture.
        probabilities: Class probabilities of the same pictures.
        sources: Key of the source image of each picture; several views of one image share it.
    """

    features: Float[Tensor, "sample feature"]
    probabilities: Float[Tensor, "sample class"]
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.sources) != self.features.shape[0]:
            raise DataError(
                f"Features of {self.features.shape[0]} pictures came with {len(self.sources)} source keys; one per picture is needed."
            )

    @classmethod
    def of(cls, extraction: Extraction, sources: Sequence[str]) -> "FeatureStatistics":
        """Takes a batch from an extractor to the CPU."""
        return cls(extraction.features.cpu(), extraction.probabilities.cpu(), tuple(sources))

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.sources)

    def merge(self, other: "FeatureStatistics") -> "FeatureStatistics":
        """Returns both sets of pictures as one."""
        return FeatureStatistics(
            torch.cat([self.features, other.features]), torch.cat([self.probabilities, other.probabilities]), self.sources + other.sources
        )

    def select(self, indices: Int[Tensor, "kept"]) -> "FeatureStatistics":
        """Returns the pictures with these positions."""
        return FeatureStatistics(
            self.features[indices], self.probabilities[indices], tuple(self.sources[index] for index in indices.tolist())
        )

    def only(self, sources: Sequence[str]) -> "FeatureStatistics":
        """Returns the pictures of these source images."""
        wanted = set(sources)
        return self.select(torch.tensor([index for index, source in enumerate(self.sources) if source in wanted], dtype=torch.long))

    def unique_sources(self) -> tuple[str, ...]:
        """Returns the keys of the source images, sorted: the units that are resampled."""
        return tuple(sorted(set(self.sources)))

    def mean(self) -> Float[Tensor, "feature"]:
        """Returns the mean feature, in float64."""
        return self.features.double().mean(dim=0)

    def factor(self) -> Float[Tensor, "feature rank"]:
        """Returns a matrix A with A A^T = unbiased covariance, in float64; as many columns as pictures."""
        _require_two(self.count)
        centred: Tensor = self.features.double() - self.mean()
        return centred.T / math.sqrt(self.count - 1)


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter matrix in float64: for so many pictures that their features are not kept.

    Attributes:
        count: Number of pictures.
        average: Mean feature.
        scatter: Sum of outer products of the deviations from the mean.
    """

    count: int
    average: Float[Tensor, "feature"]
    scatter: Float[Tensor, "feature feature"]

    @classmethod
    def of(cls, features: Float[Tensor, "sample feature"]) -> "Moments":
        """Takes a batch of features."""
        average = features.double().mean(dim=0)
        centred = features.double() - average
        return cls(features.shape[0], average, centred.T @ centred)

    def merge(self, other: "Moments") -> "Moments":
        """Returns the moments of both sets as one [Chan et al., 1979]: no cancellation of large sums."""
        count = self.count + other.count
        shift = other.average - self.average
        scatter = self.scatter + other.scatter + torch.outer(shift, shift) * (self.count * other.count / count)
        return Moments(count, self.average + shift * (other.count / count), scatter)

    def mean(self) -> Float[Tensor, "feature"]:
        """Returns the mean feature."""
        return self.average

    def factor(self) -> Float[Tensor, "feature rank"]:
        """Returns a matrix A with A A^T = unbiased covariance."""
        _require_two(self.count)
        values, vectors = torch.linalg.eigh(self.scatter / (self.count - 1))
        factor: Tensor = vectors * values.clamp(min=0).sqrt()
        return factor


def _require_two(count: int) -> None:
    if count < 2:
        raise DataError(f"A covariance needs at least 2 pictures, got {count}.")
