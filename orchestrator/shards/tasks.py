"""Runs the tasks of a pack: as Ray Data tasks where a Ray cluster has a free CPU, in a few threads if not."""

import os
import pickle
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from orchestrator.shards.execution import quiet_ray_data, ray_has_room
from orchestrator.shards.planning import ShardPlan
from orchestrator.shards.shard_task import Outcome, run_plan
from orchestrator.shards.sources import Source
from orchestrator.store import Store

Count = Callable[[int], None]
Runner = Callable[[Source, Store, Sequence[ShardPlan], Count], Iterator[Outcome]]
"""Runs every plan and yields its outcome, in the order in which they end; calls `count` with the examples that are done so far."""

_THREADS = 4
_PACK_CPUS = 1.0
_SECONDS_BETWEEN_COUNTS = 0.2


class StoppedError(Exception):
    """The work of a thread is not wanted any more."""


class Pulse:
    """Counts what is done over all threads, and ends their work."""

    def __init__(self) -> None:
        self._lock, self._stopped, self.done = threading.Lock(), False, 0

    def tick(self) -> None:
        """Counts one.

        Raises:
            StoppedError: Nobody wants more.
        """
        with self._lock:
            self.done += 1
            if self._stopped:
                raise StoppedError

    def stop(self) -> None:
        """Makes every further tick raise."""
        self._stopped = True


def run(source: Source, store: Store, plans: Sequence[ShardPlan], count: Count) -> Iterator[Outcome]:
    """Runs every plan; see `Runner`."""
    if not plans:
        return iter(())
    return (_run_on_ray if ray_has_room(_PACK_CPUS) else run_in_threads)(source, store, plans, count)


def run_in_threads(source: Source, store: Store, plans: Sequence[ShardPlan], count: Count) -> Iterator[Outcome]:
    """Runs every plan in threads of this process; Pillow decodes beside Python. See `Runner`."""
    pulse = Pulse()
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        waiting = {pool.submit(run_plan, source, store, plan, pulse.tick) for plan in plans}
        try:
            while waiting:
                ended, waiting = wait(waiting, timeout=_SECONDS_BETWEEN_COUNTS, return_when=FIRST_COMPLETED)
                count(pulse.done)
                yield from (future.result() for future in ended)
        finally:
            pulse.stop()
            pool.shutdown(wait=True, cancel_futures=True)


def _run_on_ray(source: Source, store: Store, plans: Sequence[ShardPlan], count: Count) -> Iterator[Outcome]:
    """Runs every plan as a task of Ray Data, which starts it again where a worker dies; see `Runner`."""

    def task(row: dict[str, bytes]) -> dict[str, bytes]:
        plan = pickle.loads(zlib.decompress(row["plan"]))  # noqa: S301  made a few lines below
        return {"outcome": pickle.dumps(run_plan(source, store, plan))}

    examples = {plan.path: len(plan.items) for plan in plans}
    # The names of a million files have much in common: they take a tenth of the object store this way.
    rows = [{"plan": zlib.compress(pickle.dumps(plan), 1)} for plan in plans]
    outcomes = quiet_ray_data().from_items(rows, override_num_blocks=len(rows)).map(task, num_cpus=_PACK_CPUS)
    done = 0
    for row in outcomes.iter_rows():
        outcome: Outcome = pickle.loads(row["outcome"])  # noqa: S301  made by the task above
        done += examples[outcome.path]
        count(done)
        yield outcome
