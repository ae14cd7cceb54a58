"""KID: the unbiased polynomial maximum mean discrepancy of two sets of features [Binkowski et al., 2018].

The unit is the source image: the kernel of two sources is the mean over the pairs of their pictures, and pairs of pictures of one
source (an image and its own reconstruction, two views of one object) are left out of every average. So the estimate stays
unbiased for sets with common sources; with one picture per source and none in common it is the published one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.special import stdtrit
from torch import Tensor

from g3dr.errors import DataError
from g3dr.metrics.features import FeatureStatistics
from g3dr.metrics.kernel_variance import SpreadOfPairs, spread_between, spread_within

FEWEST_SOURCES = 4


@dataclass(frozen=True)
class KidInterval:
    """An estimate with the ends of its 95 % confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class _Side:
    """One set of pictures by source.

    Attributes:
        features: One row per picture.
        pooling: Takes pictures' values to the mean of each source.
        sources: Key of each source.
    """

    features: Float[Tensor, "sample feature"]
    pooling: Float[Tensor, "source sample"]
    sources: tuple[str, ...]

    @classmethod
    def of(cls, statistics: FeatureStatistics) -> "_Side":
        sources = statistics.unique_sources()
        numbers = {source: number for number, source in enumerate(sources)}
        members = torch.zeros(len(sources), statistics.count, dtype=torch.float64)
        members[[numbers[source] for source in statistics.sources], range(statistics.count)] = 1
        return cls(statistics.features.double(), members / members.sum(dim=1, keepdim=True), sources)

    def kernel(self, other: "_Side") -> Float[Tensor, "source other_source"]:
        """Returns the mean kernel (x . y / d + 1)^3 of each pair of sources."""
        pictures = (self.features @ other.features.T / self.features.shape[1] + 1) ** 3
        return self.pooling @ pictures @ other.pooling.T


def kernel_distance(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """Returns KID with the kernel (x . y / d + 1)^3; about 0 for sets of one distribution, negative by chance.

    Raises:
        DataError: A set has fewer than two source images.
    """
    _require(first, second, 2, "KID needs at least two source images in each set")
    sides = _Side.of(first), _Side.of(second)
    within = [_mean_of_pairs(side.kernel(side), side.sources, side.sources) for side in sides]
    return sum(within) - 2 * _mean_of_pairs(sides[0].kernel(sides[1]), sides[0].sources, sides[1].sources)


def _mean_of_pairs(kernel: Tensor, rows: Sequence[str], columns: Sequence[str]) -> float:
    numbers = {source: number for number, source in enumerate(columns)}
    same = torch.tensor([(row, numbers[source]) for row, source in enumerate(rows) if source in numbers], dtype=torch.long)
    left_out = kernel[same[:, 0], same[:, 1]].sum() if len(same) else 0.0
    return float((kernel.sum() - left_out) / (kernel.numel() - len(same)))


def kernel_distance_interval(first: FeatureStatistics, second: FeatureStatistics) -> KidInterval:
    """Returns KID with a 95 % confidence interval over source images.

    The interval holds the truths that the estimate does not contradict [Wilson's score interval, 1927, for KID]: its variance
    at a truth of 0 comes from pairs alone, and from there grows with the truth (`kernel_variance`). It reaches farther up than
    down, as estimates scatter, and below 0 only where the estimate cannot be told from 0.

    Args:
        first: One set.
        second: The other, of other source images.

    Raises:
        DataError: A set has fewer than four source images, or they have one in common.
    """
    _require(first, second, FEWEST_SOURCES, "A confidence interval of KID needs at least four source images in each set")
    if set(first.sources) & set(second.sources):
        raise DataError("A confidence interval of KID needs sets without a common source image.")
    one, other = _Side.of(first), _Side.of(second)
    own, others, between = one.kernel(one), other.kernel(other), one.kernel(other)
    spread = SpreadOfPairs(spread_within(own), spread_within(others), spread_between(between))
    biased = float(own.mean() + others.mean() - 2 * between.mean())
    estimate = kernel_distance(first, second)
    return KidInterval(estimate, *_score_interval(estimate, spread, biased, spread.freedom()))


def _score_interval(estimate: float, spread: SpreadOfPairs, biased: float, freedom: float) -> tuple[float, float]:
    """Returns the truths t with (estimate - t)^2 <= q^2 (variance of pairs + slope t), q being Student's quantile.

    Args:
        estimate: KID.
        spread: Of its kernel.
        biased: KID with the pairs of equal pictures, which is never negative.
        freedom: Degrees of freedom of q.
    """
    quantile = float(stdtrit(freedom, 0.975))
    # Resampling counts the pairs' part twice. Taking both away could leave nothing or less; taking one away covers best in simulation.
    above_zero = max(spread.resampled() - spread.pairs(), spread.resampled() / 2)
    slope = above_zero / biased if biased > 0 else 0.0
    middle, at_zero = quantile**2 * slope / 2, quantile**2 * spread.pairs()
    root = max(0.0, middle**2 + 2 * middle * estimate + at_zero) ** 0.5
    low = estimate + middle - root
    if low < 0:  # below a truth of 0 there is no linear part
        low = min(0.0, estimate - at_zero**0.5)
    return low, max(estimate + middle + root, low)


def _require(first: FeatureStatistics, second: FeatureStatistics, count: int, sentence: str) -> None:
    fewest = min(len(first.unique_sources()), len(second.unique_sources()))
    if fewest < count:
        raise DataError(f"{sentence}, got {fewest}.")
