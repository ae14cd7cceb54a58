"""The variance of KID over the choice of source images, without bias and without resampling.

KID is a U-statistic. Hoeffding's decomposition splits its error into a part that is linear in the sources (each is nearer to one
set than to the other) and a part of pairs [Serfling, Approximation Theorems of Mathematical Statistics, 1980, section 5.3;
Sutherland and Deka, Unbiased estimators for the variance of MMD estimators, 2019]:

    var = 4/m var(a(x) - b(x)) + 4/n var(a(y) - b(y)) + 2 s_xx / (m (m-1)) + 2 s_yy / (n (n-1)) + 4 s_xy / (m n)

with a, b the mean kernel of a source with its own and with the other set and s the variances of the kernel beyond row and column
means. When both sets are of one distribution the linear part vanishes, and what resampling gives is too wide: the jackknife counts
the pairs' part twice, half-sampling three times. Here each part is estimated by itself, as in an analysis of variance.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_LEAST_EXCESS = 0.5  # of the kurtosis over 1; two values that take turns have none, which is no certainty


@dataclass(frozen=True)
class _Within:
    """Row effects of a set's own kernel, and its variance beyond them."""

    effects: Float[Tensor, "source"]
    residual: float


@dataclass(frozen=True)
class _Between:
    """Row and column effects of the kernel between two sets, and its variance beyond them."""

    rows: Float[Tensor, "source"]
    columns: Float[Tensor, "other_source"]
    residual: float


def spread_within(kernel: Float[Tensor, "source source"]) -> _Within:
    """Fits kernel = mean + effect of row + effect of column to the pairs of different sources, of which there are four or more."""
    count = len(kernel)
    pairs = 1 - torch.eye(count, dtype=kernel.dtype)
    sums = (kernel * pairs).sum(dim=1)
    effects = (sums - sums.mean()) / (count - 2)
    beyond = (kernel - sums.mean() / (count - 1) - effects[:, None] - effects[None, :]) * pairs
    return _Within(effects, float(beyond.square().sum()) / (count * (count - 3)))


def spread_between(kernel: Float[Tensor, "source other_source"]) -> _Between:
    """Fits the same to the pairs of a source of one set and one of the other."""
    rows, columns = kernel.mean(dim=1) - kernel.mean(), kernel.mean(dim=0) - kernel.mean()
    beyond = kernel - kernel.mean() - rows[:, None] - columns[None, :]
    return _Between(rows, columns, float(beyond.square().sum()) / ((kernel.shape[0] - 1) * (kernel.shape[1] - 1)))


def _uncertain_variance(effects: Float[Tensor, "source"]) -> tuple[float, float]:
    """Returns a set's share of the variance and the variance of that share: variance^2 (kurtosis - 1) / n."""
    centred, count = effects - effects.mean(), len(effects)
    share, square = 4 / count * float(effects.var()), float(centred.square().mean())
    kurtosis = float(centred.pow(4).mean()) / square**2 if square > 0 else 3.0
    return share, share**2 * max(kurtosis - 1, _LEAST_EXCESS) / count


@dataclass(frozen=True)
class SpreadOfPairs:
    """How the kernel varies within the first set, within the second, and between them."""

    first: _Within
    second: _Within
    between: _Between

    def resampled(self) -> float:
        """Returns the variance that comes from the sources' effects, the pairs' part in it: about what the jackknife gives."""
        count, others = len(self.first.effects), len(self.second.effects)
        own, other = self.first.effects - self.between.rows, self.second.effects - self.between.columns
        return float(4 / count * own.var() + 4 / others * other.var())

    def freedom(self) -> float:
        """Returns how many degrees of freedom `resampled` is worth [Satterthwaite, 1946], at most those of both sets together.

        The variance of a sample's variance grows with the kurtosis: a few sources far out, which the cubic kernel takes further out,
        leave it about as certain as a small sample would.
        """
        parts = [
            _uncertain_variance(self.first.effects - self.between.rows),
            _uncertain_variance(self.second.effects - self.between.columns),
        ]
        whole, doubt = (sum(column) for column in zip(*parts, strict=True))
        most = len(self.first.effects) + len(self.second.effects) - 2
        return min(float(most), 2 * whole**2 / doubt) if doubt > 0 else float(most)

    def linear(self) -> float:
        """Returns the part of the sources alone: unbiased, so it may be negative where the truth is about 0."""
        count, others = len(self.first.effects), len(self.second.effects)
        within = 4 / count * self.first.residual / (count - 2) + 4 / others * self.second.residual / (others - 2)
        return self.resampled() - within - 8 * self.between.residual / (count * others)

    def pairs(self) -> float:
        """Returns the part of the pairs, without bias: all there is when both sets are of one distribution."""
        count, others = len(self.first.effects), len(self.second.effects)
        within = 2 * self.first.residual / (count * (count - 1)) + 2 * self.second.residual / (others * (others - 1))
        return within + 4 * self.between.residual / (count * others)
