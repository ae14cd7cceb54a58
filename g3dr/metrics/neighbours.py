"""Improved precision and recall of generated pictures [Kynkaanniemi et al., 2019].

A set of pictures stands for the region of feature space within reach of any of them; the reach of a picture is the distance
to its k-th nearest neighbour in its own set. Precision: the share of generated pictures in the region of the real ones.
Recall: the share of real pictures in the region of the generated ones.

Pairs of pictures of one source image never count, neither as neighbours nor as hits. With one picture per source and no common
sources these are the published definitions. Both grow and shrink with the number of pictures: compare them at equal numbers.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from g3dr.errors import DataError
from g3dr.metrics.features import FeatureStatistics

NEIGHBOURS = 3


@dataclass(frozen=True)
class PrecisionRecall:
    """Two shares in [0, 1], higher is better.

    Attributes:
        precision: Of the generated pictures, those that look like real ones.
        recall: Of the real pictures, those that the generated ones come near.
    """

    precision: float
    recall: float


def precision_recall(reference: FeatureStatistics, generated: FeatureStatistics, neighbours: int = NEIGHBOURS) -> PrecisionRecall:
    """Compares generated with real pictures.

    Args:
        reference: Real pictures.
        generated: What is judged.
        neighbours: Which nearest neighbour sets the reach.

    Raises:
        DataError: A set does not have more source images than `neighbours`, which is at least 1.
    """
    fewest = min(len(reference.unique_sources()), len(generated.unique_sources()))
    if not 1 <= neighbours < fewest:
        raise DataError(f"Precision and recall with {neighbours} neighbours need more source images than that in each set, got {fewest}.")
    distances = _distances(generated, reference)
    other = _other_source(generated, reference)
    return PrecisionRecall(
        precision=_share_within(distances, other, _reach(reference, neighbours)),
        recall=_share_within(distances.T, other.T, _reach(generated, neighbours)),
    )


def _distances(rows: FeatureStatistics, columns: FeatureStatistics) -> Float[Tensor, "row column"]:
    # Not by way of products, whose rounding would keep equal pictures apart: all-black ones have a reach of exactly 0.
    return torch.cdist(rows.features.double(), columns.features.double(), compute_mode="donot_use_mm_for_euclid_dist")


def _other_source(rows: FeatureStatistics, columns: FeatureStatistics) -> Bool[Tensor, "row column"]:
    numbers = {source: number for number, source in enumerate(dict.fromkeys(rows.sources + columns.sources))}
    first, second = (torch.tensor([numbers[source] for source in side.sources]) for side in (rows, columns))
    return first[:, None] != second[None, :]


def _reach(pictures: FeatureStatistics, neighbours: int) -> Float[Tensor, "sample"]:
    """Returns the distance of each picture to its k-th nearest among those of other sources."""
    distances = _distances(pictures, pictures).masked_fill(~_other_source(pictures, pictures), torch.inf)
    return distances.kthvalue(neighbours, dim=1).values


def _share_within(distances: Float[Tensor, "row column"], other: Bool[Tensor, "row column"], reach: Float[Tensor, "column"]) -> float:
    return float(((distances <= reach) & other).any(dim=1).double().mean())
