"""One novel view of each object against as many real pictures of other objects: distances, floors, intervals."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from g3dr.metrics import FeatureStatistics, distribution_report, halved

SMALLEST = 4
_POOLED_ONLY = "inception_score"
"""Says nothing about pictures of one species: it wants many classes."""

Values = dict[str, float]


@dataclass(frozen=True)
class RealPictures:
    """What reconstructions are compared with.

    Attributes:
        inputs: Features of the pictures that were reconstructed.
        split: The split that they are from.
        others: Features of pictures of other objects; None where there are none.
        other_species: Species of each of these.
        other_split: The split that they are from.
    """

    inputs: FeatureStatistics
    split: str
    others: FeatureStatistics | None = None
    other_species: Sequence[str] = ()
    other_split: str = "train"

    def of_species(self, name: str) -> FeatureStatistics | None:
        """Returns the other objects of one species."""
        if self.others is None:
            return None
        return self.others.select(
            torch.tensor([row for row, species in enumerate(self.other_species) if species == name], dtype=torch.long)
        )


@dataclass(frozen=True)
class Compared:
    """Metrics by name, and what they were compared with; both empty where there were too few pictures.

    Attributes:
        metrics: Distances, floors, intervals, and `distribution_images`, the number of pictures on either side.
        reference: `split`, `images` and `kind`: `other_images`, or `half` where a random half of the inputs took their place.
    """

    metrics: Values
    reference: dict[str, Any]


def compare(made: FeatureStatistics, real: RealPictures, seed: int) -> Compared:
    """Compares the reconstructions of all species together."""
    return _compared(made, real.inputs, real.others, real, seed)


def compare_species(made: FeatureStatistics, species: Sequence[str], real: RealPictures, seed: int) -> dict[str, Values]:
    """Compares the reconstructions of each species with real pictures of that species; empty where there are too few.

    Args:
        made: Features of the reconstructions.
        species: Species of each of them.
        real: What they are compared with.
        seed: Of the intervals.
    """
    found = {}
    for name in sorted(set(species)):
        keys = [key for key, owner in zip(made.sources, species, strict=True) if owner == name]
        metrics = _compared(made.only(keys), real.inputs.only(keys), real.of_species(name), real, seed).metrics
        found[name] = {metric: value for metric, value in metrics.items() if metric != _POOLED_ONLY}
    return found


def _compared(
    made: FeatureStatistics, inputs: FeatureStatistics, others: FeatureStatistics | None, real: RealPictures, seed: int
) -> Compared:
    generator, count = torch.Generator().manual_seed(seed), len(inputs.unique_sources())
    if count < SMALLEST:
        return Compared({}, {})
    if others is not None and len(others.unique_sources()) >= SMALLEST:
        report = distribution_report(others, inputs, made, generator)
        reference = {"split": real.other_split, "images": report.sources, "kind": "other_images"}
    elif count >= 2 * SMALLEST:
        report = distribution_report(*halved(inputs, made, generator), generator)
        reference = {"split": real.split, "images": report.sources, "kind": "half"}
    else:
        return Compared({}, {})
    values = {name: value for name, value in asdict(report).items() if name != "sources" and value is not None}
    return Compared({**values, "distribution_images": report.sources}, reference)
