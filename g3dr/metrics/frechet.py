"""Frechet distance of two sets of features, taken as Gaussians [Heusel et al., 2017].

It is called FID only with Inception's features. Its bias grows as the sets shrink (to far above most effects at tens of
pictures), so values are comparable only at equal size, beside the distance of real from real at that size.
"""

import torch

from g3dr.metrics.features import FeatureStatistics
from g3dr.metrics.moments import Moments


def frechet_distance(first: FeatureStatistics | Moments, second: FeatureStatistics | Moments) -> float:
    """Returns |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in float64.

    With C = A A^T the eigenvalues of C1 C2 are the squared singular values of A1^T A2. So the trace of the root is a sum
    of singular values: no matrix root, no complex numbers, and only as large a problem as there are pictures.

    Raises:
        DataError: One of the sets has fewer than two pictures.
    """
    first_factor, second_factor = first.factor(), second.factor()
    shift = (first.mean() - second.mean()).square().sum()
    overlap = torch.linalg.svdvals(first_factor.T @ second_factor).sum()
    distance = shift + first_factor.square().sum() + second_factor.square().sum() - 2 * overlap
    return max(0.0, float(distance))
