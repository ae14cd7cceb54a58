"""KID: the unbiased polynomial maximum mean discrepancy of two sets of features [Binkowski et al., 2018].

Pairs of pictures of one source image (an image and its own reconstruction, two views of one object) are left out of
every average. So the estimate stays unbiased for paired sets, and nothing is lost for sets without common sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from g3dr.errors import DataError
from g3dr.metrics.features import FeatureStatistics


@dataclass(frozen=True)
class KidInterval:
    """An estimate with the ends of its 95 % confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class _Gram:
    """Kernel values of all pairs (0 where the pair does not count), and which pairs count (1: their sources differ)."""

    kernel: Float[Tensor, "all all"]
    counted: Float[Tensor, "all all"]
    first: Float[Tensor, "all"]

    def distances(self, kept: Float[Tensor, "draw all"]) -> Float[Tensor, "draw"]:
        """Returns the discrepancy of the kept pictures (1) of the first set from those of the second, for each draw."""
        first, second = kept * self.first, kept * (1 - self.first)
        return self._means(first, first) + self._means(second, second) - 2 * self._means(first, second)

    def _means(self, rows: Tensor, columns: Tensor) -> Tensor:
        counts = (rows @ self.counted * columns).sum(dim=1)
        if not bool((counts > 0).all()):
            raise DataError("KID needs at least two source images in each set.")
        sums: Tensor = (rows @ self.kernel * columns).sum(dim=1)
        return sums / counts

    def whole(self) -> float:
        """Returns the discrepancy with every picture kept."""
        return float(self.distances(torch.ones_like(self.first)[None]))


def _gram(first: FeatureStatistics, second: FeatureStatistics) -> _Gram:
    features = torch.cat([first.features, second.features]).double()
    kernel = (features @ features.T / features.shape[1] + 1) ** 3
    numbers = _numbered(first.sources + second.sources)
    counted = (numbers[:, None] != numbers[None, :]).double()
    return _Gram(kernel * counted, counted, (torch.arange(len(numbers)) < first.count).double())


def _numbered(sources: Sequence[str]) -> Tensor:
    order = {source: number for number, source in enumerate(dict.fromkeys(sources))}
    return torch.tensor([order[source] for source in sources])


def kernel_distance(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """Returns KID with the kernel (x . y / d + 1)^3; about 0 for sets of one distribution, negative by chance.

    Raises:
        DataError: A set has fewer than two source images.
    """
    return _gram(first, second).whole()


def kernel_distance_interval(first: FeatureStatistics, second: FeatureStatistics, generator: Generator, draws: int = 200) -> KidInterval:
    """Returns KID with a 95 % confidence interval from random halves.

    Each draw keeps half of the source images of either set, without replacement; the spread of halves around the whole is
    that of the whole around the truth (half-sampling). Sampling with replacement would repeat pictures and inflate KID.

    Args:
        first: One set.
        second: The other; sources that both have stay or go together.
        generator: Source of chance, on the CPU.
        draws: Number of halves.

    Raises:
        DataError: A set has fewer than four source images.
    """
    if min(len(first.unique_sources()), len(second.unique_sources())) < 4:
        raise DataError("A confidence interval of KID needs at least four source images in each set.")
    gram = _gram(first, second)
    estimate = gram.whole()
    halves = gram.distances(torch.stack([_half(first, second, generator) for _ in range(draws)]))
    low, high = torch.quantile(halves - estimate, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return KidInterval(estimate, estimate - high, estimate - low)


def _half(first: FeatureStatistics, second: FeatureStatistics, generator: Generator) -> Float[Tensor, "all"]:
    common = set(first.sources) & set(second.sources)
    groups = (common, set(first.sources) - common, set(second.sources) - common)
    kept = set().union(*(_drawn_half(sorted(group), generator) for group in groups))
    return torch.tensor([source in kept for source in first.sources + second.sources]).double()


def _drawn_half(sources: Sequence[str], generator: Generator) -> set[str]:
    order = torch.randperm(len(sources), generator=generator).tolist()
    return {sources[index] for index in order[: (len(sources) + 1) // 2]}
