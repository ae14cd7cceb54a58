"""What an hour of a cluster costs at least and at most, from the user's prices; what has no price is unknown, never guessed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.cluster.checking.findings import Finding, doubtful, wrong
from orchestrator.cluster.checking.machines import Machine
from orchestrator.planning.prices import MachineType, Prices


@dataclass(frozen=True)
class Offer:
    """A kind of machine with its price.

    Attributes:
        machine: The kind.
        price: Its entry in the price file; None if it has none.
        entry: The entry's name.
        otherwise: What it costs an hour where it cannot be had as spot and is rented on demand; None if it is not, or nobody says so.
    """

    machine: Machine
    price: MachineType | None = None
    entry: str = ""
    otherwise: float | None = None

    @property
    def most_per_hour(self) -> float | None:
        """The most that one costs in an hour; None if that is not known."""
        if self.price is None or (self.machine.market == "spot first" and self.otherwise is None):
            return None
        return max(self.price.per_hour, self.otherwise or 0.0)


@dataclass(frozen=True)
class HourlyCost:
    """Bounds of what an hour costs; without disks, storage and traffic.

    Attributes:
        idle: The head and what is always there; None if a price is missing.
        most: All machines that there may be at once, the dearest first; None if a price is missing.
        currency: ISO code; empty without prices.
        unpriced: What the price file does not name.
    """

    idle: float | None
    most: float | None
    currency: str
    unpriced: tuple[str, ...]


def priced(machines: Sequence[Machine], prices: Prices | None) -> list[Offer]:
    """Returns the machines with their prices.

    The entry of a price file counts whose name is that of the node type; else the instance type, with `-spot` behind it for a spot machine;
    else the instance type alone, if the entry's `spot` agrees. What is rented on demand otherwise needs the instance type's price too.
    """
    return [Offer(machine) if prices is None else _offer(machine, prices.machines) for machine in machines]


def _offer(machine: Machine, entries: Mapping[str, MachineType]) -> Offer:
    is_spot = machine.market.startswith("spot")
    dear = entries.get(machine.instance)
    otherwise = dear.per_hour if machine.market == "spot first" and dear is not None and not dear.spot else None
    for name in (machine.name, f"{machine.instance}-spot" if is_spot else machine.instance, machine.instance):
        entry = entries.get(name)
        if entry is not None and (name == machine.name or not machine.market or entry.spot == is_spot):
            return Offer(machine, entry, name, otherwise)
    return Offer(machine, otherwise=otherwise)


def hourly_cost(offers: Sequence[Offer], prices: Prices | None, most_workers: int) -> HourlyCost:
    """Returns the bounds.

    Args:
        offers: Machines with prices.
        prices: None if there are none.
        most_workers: Workers of all kinds that there may be at once.
    """
    if prices is None:
        return HourlyCost(None, None, "", ())
    unpriced = tuple(name for offer in offers if offer.machine.most for name in _unpriced(offer))
    return HourlyCost(_idle(offers), None if unpriced else _most(offers, most_workers), prices.currency, unpriced)


def _unpriced(offer: Offer) -> Iterator[str]:
    if offer.price is None:
        yield offer.machine.name
    if offer.machine.market == "spot first" and offer.otherwise is None:
        yield f"{offer.machine.name} on demand ({offer.machine.instance})"


def _idle(offers: Sequence[Offer]) -> float | None:
    always = [offer for offer in offers if offer.machine.least]
    if any(offer.price is None for offer in always):
        return None
    return sum(offer.machine.least * offer.price.per_hour for offer in always if offer.price is not None)


def _most(offers: Sequence[Offer], most_workers: int) -> float:
    """The dearest mix that the limits allow; least counts first, as it cannot be left out."""
    priced_machines = [(offer.most_per_hour or 0.0, offer.machine) for offer in offers]
    heads = sum(machine.most * price for price, machine in priced_machines if machine.is_head)
    workers = [(price, machine) for price, machine in priced_machines if not machine.is_head]
    fixed = [price for price, machine in workers for _ in range(machine.least)]
    free = sorted((price for price, machine in workers for _ in range(machine.most - machine.least)), reverse=True)
    return heads + sum(fixed) + sum(free[: max(0, most_workers - len(fixed))])


def resource_findings(offers: Sequence[Offer], path: str = "available_node_types") -> Iterator[Finding]:
    """Yields machines that are said to have more than the price file says: Ray would place runs where there is no room."""
    for offer in offers:
        machine, price = offer.machine, offer.price
        if price is None or machine.is_head:
            continue
        for name, declared, real in (("CPU", machine.cpus, price.cpus), ("GPU", machine.gpus, price.gpus)):
            here = f"{path}.{machine.name}.resources.{name}"
            if declared is not None and declared > real:
                yield wrong(here, declared, f"at most {real:g}, which {offer.entry} has after your prices")
            elif declared is not None and name == "GPU" and declared < real:
                yield doubtful(here, declared, f"{real:g}, which {offer.entry} has after your prices, and which are paid for")
