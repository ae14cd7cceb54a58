"""Which species a generated picture looks like: that of the nearest real picture in a network's features."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.errors import DataError
from g3dr.metrics import FeatureStatistics


@dataclass(frozen=True)
class SpeciesPictures:
    """Real pictures as a network sees them.

    Attributes:
        statistics: Features; sources are keys of pictures.
        species: Species of each.
    """

    statistics: FeatureStatistics
    species: Sequence[str]

    @property
    def directions(self) -> Float[Tensor, "sample feature"]:
        """Features at length 1."""
        return _directions(self.statistics.features)

    def nearest(self, features: Float[Tensor, "batch feature"]) -> list[str]:
        """Returns the species of the nearest picture, by the angle between features.

        Raises:
            DataError: There are no real pictures.
        """
        if not self.species:
            raise DataError("the species of a picture is that of its nearest real picture, and there are none")
        return [self.species[number] for number in (_directions(features) @ self.directions.T).argmax(dim=1).tolist()]

    def leave_one_out(self) -> list[str]:
        """Returns the species of the nearest other picture of each: what the best generator could reach.

        Raises:
            DataError: There are fewer than two.
        """
        if len(self.species) < 2:
            raise DataError("the nearest other picture needs two pictures or more")
        likeness = self.directions @ self.directions.T
        return [self.species[number] for number in likeness.fill_diagonal_(-torch.inf).argmax(dim=1).tolist()]


def accuracy(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Returns the share of equal names, 0 to 1."""
    return sum(one == other for one, other in zip(found, wanted, strict=True)) / len(wanted)


def _directions(features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
    return torch.nn.functional.normalize(features.double(), dim=1)
