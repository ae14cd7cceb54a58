"""Random numbers for pictures, each with the axes (batch, 1, 1, 1) unless asked otherwise."""

import math
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from g3dr.training.chance import StepChance

_SCALAR = (1, 1, 1)


@dataclass(frozen=True)
class Dice:
    """Draws for each picture by itself.

    Attributes:
        chance: Where all numbers come from.
    """

    chance: StepChance

    def between(self, low: float, high: float, *shape: int) -> Float[Tensor, "batch ..."]:
        """Draws numbers evenly between two."""
        return low + (high - low) * self.chance.uniform(*(shape or _SCALAR))

    def ratio(self, low: float, high: float, *shape: int) -> Float[Tensor, "batch ..."]:
        """Draws positive numbers whose logarithms are even between those of two."""
        return self.between(math.log(low), math.log(high), *shape).exp()

    def happens(self, probability: float, *shape: int) -> Bool[Tensor, "batch ..."]:
        """Draws whether something happens."""
        return self.chance.uniform(*(shape or _SCALAR)) < probability
