"""Normal numbers from the uniform ones of a training step, and from seeds of pictures."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.training.chance import StepChance

# torch.rand gives multiples of 2^-24, among them 0, whose quantile is minus infinity.
_HALF_STEP, _LARGEST = 2.0**-25, 1 - 2.0**-24


def normal(chance: StepChance, *shape: int) -> Float[Tensor, "batch ..."]:
    """Draws standard normal numbers of `shape` for each image of a training step, as quantiles of uniform ones."""
    quantiles: Tensor = torch.special.ndtri((chance.uniform(*shape) + _HALF_STEP).clamp(max=_LARGEST))
    return quantiles


def noise_of_seeds(seeds: Sequence[int], *shape: int) -> Float[Tensor, "batch ..."]:
    """Draws standard normal numbers of `shape` for each seed, on the CPU: the same whatever the machine and the batch."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
