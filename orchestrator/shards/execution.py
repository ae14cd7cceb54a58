"""Runs the tasks of a pack: on the Ray cluster if there is one with a free CPU, in a few threads if not."""

import logging
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from orchestrator.shards.shard_task import Outcome, ShardPlan, run_plan
from orchestrator.shards.sources import Source
from orchestrator.store import Store

_THREADS = 4
_PACK_CPUS = 1.0


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


def run(source: Source, store: Store, plans: Sequence[ShardPlan]) -> Iterator[Outcome]:
    """Runs every plan and yields its outcome, in the order in which they end."""
    if not plans:
        return iter(())
    return _run_on_ray(source, store, plans) if ray_has_room(_PACK_CPUS) else _run_in_threads(source, store, plans)


def _run_in_threads(source: Source, store: Store, plans: Sequence[ShardPlan]) -> Iterator[Outcome]:
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        futures = [pool.submit(run_plan, source, store, plan) for plan in plans]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _run_on_ray(source: Source, store: Store, plans: Sequence[ShardPlan]) -> Iterator[Outcome]:
    def task(row: dict[str, bytes]) -> dict[str, bytes]:
        return {"outcome": pickle.dumps(run_plan(source, store, pickle.loads(row["plan"])))}  # noqa: S301  made two lines below

    data = quiet_ray_data()
    rows = [{"plan": pickle.dumps(plan)} for plan in plans]
    outcomes = data.from_items(rows, override_num_blocks=len(rows)).map(task, num_cpus=_PACK_CPUS)
    for row in outcomes.iter_rows():
        yield pickle.loads(row["outcome"])  # noqa: S301  made by the task above
