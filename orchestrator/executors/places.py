"""Whether the cluster has room for a run."""

import time

from g3dr.errors import G3drError
from orchestrator.cluster import cluster_nodes, free_resources
from orchestrator.planning.capacity import Resources, concurrency, missing, obstacle

_LOOK_SECONDS = 2.0


class PlacementError(G3drError):
    """The cluster has had no machines for a run for too long."""


def obstacle_now(resources: Resources, *, grows: bool = False) -> str:
    """Returns why a run that waits has no place at this moment; empty if it has one, and its processes only have to start.

    Args:
        resources: What it asks for.
        grows: Whether the cluster adds machines when they are asked for.
    """
    from ray.util import placement_group_table  # noqa: PLC0415

    waits = any(group["state"] in ("PENDING", "RESCHEDULING") for group in placement_group_table().values())
    reason = obstacle(resources, cluster_nodes(), free_resources()) if waits else ""
    return f"{reason}; the cluster was asked for more machines" if reason and grows else reason


def wait_for_machines(resources: Resources, seconds: float) -> None:
    """Waits until the cluster has machines that can hold a run, in use or not.

    Raises:
        PlacementError: It had none for so many seconds; says what is missing.
    """
    deadline = time.monotonic() + seconds
    while concurrency(resources, capacity := cluster_nodes()) < 1:
        if time.monotonic() > deadline:
            raise PlacementError(f"found no place in {seconds:.0f} s: it needs {missing(resources, capacity)}")
        time.sleep(_LOOK_SECONDS)
