"""What fits where: the two executors, what a run costs in each, and how many run at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from g3dr.config import DeviceChoice
from orchestrator.runs import RunRequest

Executor = Literal["inline", "distributed"]

DRIVER_CPUS = 0.1
"""A Tune driver of a distributed run; it mostly waits."""

DRIVER_BYTES = 2**20
"""What the driver of an elastic run asks for instead, as it must ask for something. Ray chooses the number of workers by what machines
have, not by what is free of it: it would ask for ever for two workers on two CPUs of which the driver holds a tenth of one. So do drivers
on a cluster that grows: they begin on the head node at once, where nothing takes them away, and no machine has to come for them first."""

DATA_CPUS = 0.5
"""Ray Data tasks of one distributed run, or of all inline runs together; without them readers wait for ever."""


@dataclass(frozen=True)
class Node:
    """A machine of a cluster.

    Attributes:
        cpus: Its logical CPUs.
        gpus: Its GPUs.
    """

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Capacity:
    """A cluster.

    Attributes:
        cpus: Logical CPUs of all machines.
        gpus: GPUs of all machines.
        spare_cpus: How many of the CPUs are only for what mostly waits: a local cluster has one more than the machine.
        nodes: Its machines, where they are known: a worker needs all that it asks for on one of them. Of a cluster that grows, all that
            it may have.
        most: How many of `nodes` there can be at the same time; None for all.
        now: The machines that are there already, of a cluster that grows; None for one that has what it will ever have.
    """

    cpus: float
    gpus: float = 0.0
    spare_cpus: float = 0.0
    nodes: tuple[Node, ...] = ()
    most: int | None = None
    now: tuple[Node, ...] | None = None

    @classmethod
    def of(cls, nodes: tuple[Node, ...], spare_cpus: float = 0.0) -> "Capacity":
        """Returns the cluster of these machines."""
        return cls(sum(node.cpus for node in nodes), sum(node.gpus for node in nodes), spare_cpus, nodes)

    @classmethod
    def growing(cls, nodes: tuple[Node, ...], most: int, now: tuple[Node, ...]) -> "Capacity":
        """Returns a cluster to which machines are added when they are asked for.

        Args:
            nodes: All that it may have.
            most: How many there can be at the same time.
            now: Those that are there.
        """
        return cls(
            _largest_sum([node.cpus for node in nodes], most), _largest_sum([node.gpus for node in nodes], most), 0.0, nodes, most, now
        )

    @property
    def grows(self) -> bool:
        """Whether machines are added when they are asked for."""
        return self.now is not None

    def places(self, cpus: float, gpus: float) -> int | None:
        """Returns how many workers that each ask for so much find a place; None for as many as one likes.

        Args:
            cpus: Of each worker.
            gpus: Of each worker.
        """
        if not cpus and not gpus:
            return None
        each = [_places(node, cpus, gpus) for node in self.nodes or (Node(self.cpus, self.gpus),)]
        return int(_largest_sum(each, self.most))


def _largest_sum(numbers: Sequence[float], most: int | None) -> float:
    return sum(sorted(numbers, reverse=True)[:most])


def _places(node: Node, cpus: float, gpus: float) -> int:
    limits = [_fit(there, asked) for there, asked in ((node.cpus, cpus), (node.gpus, gpus)) if asked > 0]
    return min(limits)


@dataclass(frozen=True)
class Resources:
    """What one run asks for.

    Attributes:
        workers: Data-parallel workers.
        cpus_per_worker: Logical CPUs of each.
        gpus_per_worker: GPUs of each; a fraction shares one.
        device: What they compute on.
        min_workers: As few go on while machines are missing; None for all or none.
    """

    workers: int = 1
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0
    device: DeviceChoice = "auto"
    min_workers: int | None = None

    @property
    def executor(self) -> Executor:
        """One worker runs in a warm process, more under Ray Train."""
        return "inline" if self.workers == 1 else "distributed"

    @property
    def is_elastic(self) -> bool:
        """Whether it goes on with fewer workers while machines are missing."""
        return self.least_workers < self.workers

    @property
    def least_workers(self) -> int:
        """Workers without which it does not begin."""
        return self.min_workers or self.workers

    @property
    def cpus(self) -> float:
        """Logical CPUs of a run with all that belongs to it."""
        return self.cpus_with(self.workers)

    @property
    def gpus(self) -> float:
        """GPUs of a run."""
        return self.workers * self.gpus_per_worker

    def cpus_with(self, workers: int) -> float:
        """Returns the logical CPUs of a run that has so many workers."""
        return self.cpus_per_worker if self.executor == "inline" else workers * self.cpus_per_worker + DRIVER_CPUS + DATA_CPUS


def resources_of(request: RunRequest) -> Resources:
    """Returns what a run asks for."""
    return Resources(request.workers, request.cpus_per_worker, request.gpus_per_worker, request.device, request.min_workers)


def concurrency(resources: Resources, capacity: Capacity) -> int:
    """Returns how many such runs fit at once; 0 if not even one does.

    An elastic run counts with all its workers as long as there is room for one such; else it runs alone with those that fit.
    """
    return _at_once(resources, capacity, resources.workers) or min(1, _at_once(resources, capacity, resources.least_workers))


def _at_once(resources: Resources, capacity: Capacity, workers: int) -> int:
    cpus = capacity.cpus - (max(capacity.spare_cpus, DATA_CPUS) if resources.executor == "inline" else 0.0)
    limits, each = [], resources.cpus_with(workers)
    if each > 0:
        limits.append(_fit(cpus, each))
    if resources.gpus_per_worker > 0:
        limits.append(_fit(capacity.gpus, workers * resources.gpus_per_worker))
    places = capacity.places(resources.cpus_per_worker, resources.gpus_per_worker)
    if places is not None:
        limits.append(places // workers)
    return max(0, min(limits, default=1))


def _fit(available: float, each: float) -> int:
    return math.floor(available / each + 1e-9)


def infeasible(stage: str, resources: Resources, capacity: Capacity) -> str | None:
    """Returns one sentence that says what is asked, what is there and what to set; None if a run fits."""
    if concurrency(resources, capacity) >= 1:
        return None
    key = "gpus_per_worker" if _lacks_gpus(resources, capacity) else "cpus_per_worker"
    return (
        f"stage {stage} asks for {missing(resources, capacity)}: "
        f"set stages.{stage}.workers or resources.{key} lower, or use a larger cluster"
    )


def missing(resources: Resources, capacity: Capacity) -> str:
    """Returns what a run needs and what the cluster has, for a sentence."""
    workers = resources.least_workers
    asked = f"{workers} worker{'s' if workers > 1 else ''}"
    if _lacks_gpus(resources, capacity):
        return f"{asked}, which need {workers * resources.gpus_per_worker:g} GPUs, but the cluster {_has(capacity)} {capacity.gpus:g}"
    each = resources.cpus_with(workers)
    if each > capacity.cpus:
        return f"{asked}, which need {each:g} CPUs with all that belongs to them, but the cluster {_has(capacity)} {capacity.cpus:g}"
    return f"{asked} with {_each(resources)} each, but {_largest(capacity)}"


def obstacle(resources: Resources, capacity: Capacity, free: Capacity) -> str:
    """Returns why a run has no place at this moment; empty if there is room for it and its processes only have to start.

    Args:
        resources: What it asks for.
        capacity: The cluster.
        free: What of it is not in use.
    """
    if concurrency(resources, capacity) < 1:
        return f"it needs {missing(resources, capacity)}"
    workers = resources.least_workers
    lacks = [
        f"{asked:g} {unit}, of which {there:g} are free"
        for asked, there, unit in (
            (resources.cpus_with(workers), free.cpus, "CPUs"),
            (workers * resources.gpus_per_worker, free.gpus, "GPUs"),
        )
        if asked > there
    ]
    return f"it needs {' and '.join(lacks)}; others use the rest" if lacks else ""


def _lacks_gpus(resources: Resources, capacity: Capacity) -> bool:
    return resources.least_workers * resources.gpus_per_worker > capacity.gpus


def _each(resources: Resources) -> str:
    words = [f"{number:g} {unit}" for number, unit in ((resources.cpus_per_worker, "CPUs"), (resources.gpus_per_worker, "GPUs")) if number]
    return " and ".join(words)


def _largest(capacity: Capacity) -> str:
    nodes = capacity.nodes or (Node(capacity.cpus, capacity.gpus),)
    kinds = sorted({(node.cpus, node.gpus) for node in nodes}, reverse=True)[:3]
    words = ", ".join(f"{cpus:g} CPUs" + (f" and {gpus:g} GPUs" if gpus else "") for cpus, gpus in kinds)
    if capacity.grows:
        return f"the machines that the cluster can have, {capacity.most} at the same time, have {words}"
    return f"its {len(nodes)} machine{'s have' if len(nodes) > 1 else ' has'} {words}"


def _has(capacity: Capacity) -> str:
    return "can grow to" if capacity.grows else "has"
