"""All chance of one training step, as a function of (seed, step, position in the global batch).

Nothing depends on how many workers share the batch or on what ran before, so that a step gives the same
numbers on one worker, on four, and after a resume.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

_WHOLE_BATCH = 2**31 - 1  # stands where an image's position would, for decisions that the whole batch shares


def derived_generator(device: torch.device | str, *entropy: int) -> torch.Generator:
    """Returns a generator on `device` whose seed mixes all integers of `entropy` (numpy's SeedSequence)."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    return torch.Generator(device=device).manual_seed(seed % 2**63)


class StepChance:
    """Draws random numbers for one step.

    Args:
        seed: The run's seed.
        step: The step, from 0.
        positions: Positions of this worker's images in the global batch.
        device: Where the numbers are needed.
    """

    def __init__(self, seed: int, step: int, positions: Sequence[int], device: torch.device | str = "cpu") -> None:
        self._shared = derived_generator("cpu", seed, step, _WHOLE_BATCH)
        self._images = [derived_generator(device, seed, step, position) for position in positions]
        self._device = device

    def shared_uniform(self) -> float:
        """Draws one number in [0, 1) that every worker draws alike."""
        return float(torch.rand((), generator=self._shared))

    def uniform(self, *shape: int) -> Float[Tensor, "batch ..."]:
        """Draws numbers in [0, 1) of `shape` for each image."""
        return self._per_image(lambda generator: torch.rand(shape, generator=generator, device=self._device))

    def choose(self, population: int, count: int) -> Int[Tensor, "batch count"]:
        """Draws `count` different integers below `population` for each image."""
        return self._per_image(lambda generator: torch.randperm(population, generator=generator, device=self._device)[:count])

    def _per_image(self, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        return torch.stack([draw(generator) for generator in self._images])
