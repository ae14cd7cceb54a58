"""What runs still take: time, money, and the machines that they fill."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rent:
    """Price of the machines that runs of a stage fill.

    Attributes:
        per_hour: Of one machine.
        currency: Of the price.
        runs: How many runs fill one machine; below 1 where a run takes several.
    """

    per_hour: float
    currency: str
    runs: float

    def per_second(self, runs: int) -> float:
        """Returns the price of a second in which so many runs are computed."""
        return math.ceil(runs / self.runs - 1e-9) * self.per_hour / 3600


@dataclass(frozen=True)
class Estimate:
    """What a stage still takes, as the plan measured it.

    Attributes:
        seconds: Time of all runs of the stage on this cluster; None where nothing like it was measured yet.
        cost: Price of that time; None without a prices file.
        currency: Of the price.
        rent: What its machines cost; None without a prices file.
    """

    seconds: float | None = None
    cost: float | None = None
    currency: str = ""
    rent: Rent | None = None
