"""Ray, as the shards use it: whether it is there, whether it has room, and quiet."""

import logging
import sys
from typing import Any


def ray_is_up() -> bool:
    """Tells whether this process is connected to a Ray cluster, without importing Ray for the question."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def ray_has_room(cpus: float) -> bool:
    """Tells whether the Ray cluster, if there is one, could start a task of `cpus` now.

    Where workers hold every CPU, Ray Data's tasks would wait for them while they wait for the data.
    """
    return ray_is_up() and sys.modules["ray"].available_resources().get("CPU", 0.0) >= cpus


def quiet_ray_data() -> Any:
    """Returns `ray.data` with its progress bars and chatter turned down."""
    import ray.data  # noqa: PLC0415  Ray takes two seconds to import and most callers do not need it.

    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    return ray.data
