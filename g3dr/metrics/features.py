"""What is kept of many pictures for the distribution metrics; merges across workers, and travels as safetensors."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from g3dr.backbones.protocols import Extraction
from g3dr.errors import DataError
from g3dr.metrics.moments import require_two


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
        if not len(self.sources) == self.features.shape[0] == self.probabilities.shape[0]:
            raise DataError(
                f"Features of {self.features.shape[0]} pictures came with {len(self.sources)} source keys and probabilities of "
                f"{self.probabilities.shape[0]}; one per picture is needed."
            )

    @classmethod
    def of(cls, extraction: Extraction, sources: Sequence[str]) -> "FeatureStatistics":
        """Takes a batch from an extractor to the CPU."""
        return cls(extraction.features.cpu(), extraction.probabilities.cpu(), tuple(sources))

    @classmethod
    def empty(cls) -> "FeatureStatistics":
        """Returns the statistics of no pictures, where a worker begins."""
        return cls(torch.zeros(0, 0), torch.zeros(0, 0), ())

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.sources)

    def update(self, extraction: Extraction, sources: Sequence[str]) -> "FeatureStatistics":
        """Returns the statistics with this batch too."""
        return self.merge(FeatureStatistics.of(extraction, sources))

    def merge(self, other: "FeatureStatistics") -> "FeatureStatistics":
        """Returns both sets of pictures as one."""
        if not (self.count and other.count):
            return self if self.count else other
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
        require_two(self.count)
        centred: Tensor = self.features.double() - self.mean()
        return centred.T / math.sqrt(self.count - 1)

    def to_bytes(self) -> bytes:
        """Returns a safetensors file of them: the same statistics give the same bytes."""
        names = torch.frombuffer(bytearray(json.dumps(self.sources).encode()), dtype=torch.uint8)
        tensors = {"features": self.features.contiguous(), "probabilities": self.probabilities.contiguous(), "sources": names}
        data: bytes = save(tensors)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> "FeatureStatistics":
        """Reads what `to_bytes` gave.

        Raises:
            DataError: The bytes are damaged or something else.
        """
        try:
            tensors = load(data)
            sources = json.loads(bytes(tensors["sources"].tolist()))
            return cls(tensors["features"], tensors["probabilities"], tuple(sources))
        except (SafetensorError, KeyError, ValueError, TypeError, DataError) as error:
            raise DataError("Stored features of pictures are damaged: they are no safetensors file with one source key per row.") from error
