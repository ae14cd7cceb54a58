"""Inception score [Salimans et al., 2016] from class probabilities; called IS only with Inception's."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.errors import DataError


@dataclass(frozen=True)
class ClassSums:
    """What an inception score in one split needs of any number of pictures: no more than a row of classes, in float64.

    Attributes:
        count: Number of pictures.
        certainty: Sum over pictures of sum p log p, nats; 0 for pictures of one sure class each.
        totals: Sum over pictures of each class' probability; of no width while there are no pictures.
    """

    count: int = 0
    certainty: float = 0.0
    totals: Float[Tensor, "class"] = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))

    @classmethod
    def of(cls, probabilities: Float[Tensor, "sample class"]) -> "ClassSums":
        """Takes rows that sum to 1 to the CPU."""
        if not probabilities.shape[0]:
            return cls()
        shares = probabilities.double().cpu()
        return cls(shares.shape[0], float(torch.special.xlogy(shares, shares).sum()), shares.sum(dim=0))

    def update(self, probabilities: Float[Tensor, "sample class"]) -> "ClassSums":
        """Returns the sums with this batch too."""
        return self.merge(ClassSums.of(probabilities))

    def merge(self, other: "ClassSums") -> "ClassSums":
        """Returns the sums of both."""
        if not (self.count and other.count):
            return self if self.count else other
        return ClassSums(self.count + other.count, self.certainty + other.certainty, self.totals + other.totals)

    def compute(self) -> float | None:
        """Returns exp(mean KL(p(y|x) || p(y))), from 1 to the number of classes or pictures; None without pictures."""
        if not self.count:
            return None
        marginal = self.totals / self.count
        divergence = self.certainty / self.count - torch.special.xlogy(marginal, marginal).sum()
        return float(divergence.exp())


def inception_score(probabilities: Float[Tensor, "sample class"], splits: int = 1) -> float:
    """Returns exp(mean KL(p(y|x) || p(y))), averaged over splits: 1 to the number of pictures in a split.

    Only sets of equal size are comparable, and only pooled over species. Published values use 10 splits of thousands of
    pictures; with tens or hundreds use one.

    Args:
        probabilities: Rows that sum to 1, in the order in which they are split.
        splits: Number of equal parts.

    Raises:
        DataError: There are fewer pictures than splits.
    """
    if splits < 1 or probabilities.shape[0] < splits:
        raise DataError(f"An inception score in {splits} splits needs at least as many pictures, got {probabilities.shape[0]}.")
    scores = [ClassSums.of(part).compute() for part in torch.tensor_split(probabilities, splits)]
    return sum(score for score in scores if score is not None) / splits
