"""What fits where: the two executors, what a run costs in each, and how many run at once."""

import math
from dataclasses import dataclass
from typing import Literal

from g3dr.config import DeviceChoice

Executor = Literal["inline", "distributed"]

DRIVER_CPUS = 0.1
"""A Tune driver of a distributed run; it mostly waits."""

DATA_CPUS = 0.5
"""Ray Data tasks of one distributed run, or of all inline runs together; without them readers wait for ever."""


@dataclass(frozen=True)
class Capacity:
    """A cluster.

    Attributes:
        cpus: Logical CPUs.
        gpus: GPUs.
        spare_cpus: How many of the CPUs are only for what mostly waits: a local cluster has one more than the machine.
    """

    cpus: float
    gpus: float = 0.0
    spare_cpus: float = 0.0


@dataclass(frozen=True)
class Resources:
    """What one run asks for.

    Attributes:
        workers: Data-parallel workers.
        cpus_per_worker: Logical CPUs of each.
        gpus_per_worker: GPUs of each.
        device: What they compute on.
    """

    workers: int = 1
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0
    device: DeviceChoice = "auto"

    @property
    def executor(self) -> Executor:
        """One worker runs in a warm process, more under Ray Train."""
        return "inline" if self.workers == 1 else "distributed"

    @property
    def cpus(self) -> float:
        """Logical CPUs of a run with all that belongs to it."""
        return self.cpus_per_worker if self.workers == 1 else self.workers * self.cpus_per_worker + DRIVER_CPUS + DATA_CPUS

    @property
    def gpus(self) -> float:
        """GPUs of a run."""
        return self.workers * self.gpus_per_worker


def concurrency(resources: Resources, capacity: Capacity) -> int:
    """Returns how many such runs fit at once; 0 if not even one does."""
    cpus = capacity.cpus - (max(capacity.spare_cpus, DATA_CPUS) if resources.executor == "inline" else 0.0)
    limits = []
    if resources.cpus > 0:
        limits.append(_fit(cpus, resources.cpus))
    if resources.gpus > 0:
        limits.append(_fit(capacity.gpus, resources.gpus))
    return max(0, min(limits, default=1))


def _fit(available: float, each: float) -> int:
    return math.floor(available / each + 1e-9)


def infeasible(stage: str, resources: Resources, capacity: Capacity) -> str | None:
    """Returns one sentence that says what is asked, what is there and what to set; None if a run fits."""
    if concurrency(resources, capacity) >= 1:
        return None
    if resources.gpus > capacity.gpus:
        asked, there, unit = resources.gpus, capacity.gpus, "GPUs"
        keys = "workers or resources.gpus_per_worker"
    else:
        asked, there, unit = resources.cpus, capacity.cpus, "CPUs"
        keys = "workers or resources.cpus_per_worker"
    workers = f"{resources.workers} worker{'s' if resources.workers > 1 else ''}"
    return (
        f"stage {stage} asks for {workers}, which need {asked:g} {unit} with all that belongs to them, but the cluster has {there:g}: "
        f"set stages.{stage}.{keys} lower, or use a larger cluster"
    )
