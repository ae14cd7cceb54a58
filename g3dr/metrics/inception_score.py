"""Inception score [Salimans et al., 2016] from class probabilities; called IS only with Inception's."""

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.errors import DataError


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
    scores = [_score(part) for part in torch.tensor_split(probabilities.double(), splits)]
    return float(torch.stack(scores).mean())


def _score(probabilities: Tensor) -> Tensor:
    marginal = probabilities.mean(dim=0, keepdim=True)
    divergence = torch.special.xlogy(probabilities, probabilities) - torch.special.xlogy(probabilities, marginal)
    score: Tensor = divergence.sum(dim=1).mean().exp()
    return score
