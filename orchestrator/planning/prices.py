"""Prices of machines, from a file of the user's: nothing is assumed, and without a file nothing costs anything.

{currency: EUR, machines: {l4-spot: {per_hour: 0.31, cpus: 8, gpus: 1, memory: 32, spot: true}, cpu-16: {per_hour: 0.62, cpus: 16}}}
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from g3dr.errors import ConfigError
from orchestrator.experiment.data_spec import Strict
from orchestrator.experiment.loading import parse_yaml
from orchestrator.experiment.problems import ExperimentError, collect
from orchestrator.planning.capacity import Resources
from orchestrator.planning.durations import Span
from orchestrator.planning.expense import Rent

VARIABLE = "G3DR_PRICES"


class MachineType(Strict):
    """A machine that can be rented."""

    per_hour: Annotated[float, Field(ge=0, description="Price of one machine for an hour.")]
    cpus: Annotated[float, Field(gt=0, description="Its logical CPUs.")]
    gpus: Annotated[float, Field(ge=0, description="Its GPUs.")] = 0.0
    memory: Annotated[float | None, Field(gt=0, description="Its memory, GB; for people.")] = None
    spot: bool = Field(default=False, description="Whether it may be taken away; the time for what is computed twice is not in the price.")
    kind: str | None = Field(None, description="Processor or GPU as `g3dr plan` names it; counts only for times measured on it.")

    def hosts(self, resources: Resources) -> int:
        """Returns how many workers of a run fit on one machine."""
        limits = [self.cpus / resources.cpus_per_worker] if resources.cpus_per_worker else []
        limits += [self.gpus / resources.gpus_per_worker] if resources.gpus_per_worker else []
        return math.floor(min(limits, default=1) + 1e-9)


class Prices(Strict):
    """A file of prices."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO code such as EUR.")]
    machines: Annotated[dict[str, MachineType], Field(min_length=1, description="Machine types by name.")]


@dataclass(frozen=True)
class Cost:
    """What a stage costs.

    Attributes:
        amount: Least and most.
        currency: ISO code.
        machine: Name of the machine type.
        machines: How many of them at once.
        spot: Whether they may be taken away.
    """

    amount: Span
    currency: str
    machine: str
    machines: int
    spot: bool = False


def read_prices(path: str | None = None) -> Prices | None:
    """Reads a file of prices; the one that G3DR_PRICES names if `path` is None, and None if that is not set either.

    Raises:
        ExperimentError: It cannot be read, with every problem.
    """
    path = path or os.environ.get(VARIABLE)
    if not path:
        return None
    try:
        document = parse_yaml(Path(path).read_text(encoding="utf-8"), path)
        return Prices.model_validate(document)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ExperimentError(path, [ConfigError("the file", path, "a readable file of prices", str(reason))]) from None
    except ValidationError as error:
        raise ExperimentError(path, collect(error, document)) from None


def cost_of(prices: Prices, seconds: Span, resources: Resources, at_once: int, machine: str | None) -> Cost | None:
    """Returns the price of a stage on the machine type that does it for the least money.

    The machines that its runs fill are paid for as long as it takes; a machine is taken for as fast as the one whose time was measured.

    Args:
        prices: Machine types.
        seconds: Time of the stage.
        resources: What each of its runs gets.
        at_once: Runs at a time.
        machine: Kind of machine whose time `seconds` is; types of another kind are left out.

    Returns:
        None if a worker fits on none of the types.
    """
    cheapest = _cheapest(prices, resources, at_once, machine)
    if cheapest is None:
        return None
    per_hour, name, count = cheapest
    return Cost(seconds.times(per_hour / 3600), prices.currency, name, count, prices.machines[name].spot)


def rent_of(prices: Prices, resources: Resources, at_once: int, machine: str | None) -> Rent | None:
    """Returns what the machines of a stage cost by the hour, which is known before its time is.

    Args:
        prices: Machine types.
        resources: What each of its runs gets.
        at_once: Runs at a time.
        machine: Kind of machine that it is planned for; types of another kind are left out.

    Returns:
        None if a worker fits on none of the types.
    """
    cheapest = _cheapest(prices, resources, at_once, machine)
    if cheapest is None:
        return None
    offer = prices.machines[cheapest[1]]
    return Rent(offer.per_hour, prices.currency, offer.hosts(resources) / resources.workers)


def _cheapest(prices: Prices, resources: Resources, at_once: int, machine: str | None) -> tuple[float, str, int] | None:
    """Returns the price of all machines for an hour, their type and their number."""
    offers = [
        (count * offer.per_hour, name, count)
        for name, offer in prices.machines.items()
        if offer.kind in (None, machine) and (count := _needed(offer, resources, at_once))
    ]
    return min(offers, default=None)


def _needed(offer: MachineType, resources: Resources, at_once: int) -> int:
    fits = offer.hosts(resources)
    return math.ceil(resources.workers * at_once / fits) if fits else 0
