"""Who estimates: a pool of Ray Data actors, each with the estimator in memory, or this process."""

import os
import pickle
import queue
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from g3dr.errors import ConfigError
from orchestrator.depth.source import DepthSource
from orchestrator.shards.execution import quiet_ray_data
from orchestrator.shards.planning import ShardPlan
from orchestrator.shards.receipts import Receipt
from orchestrator.shards.shard_task import Outcome, run_plan
from orchestrator.shards.sources import Source
from orchestrator.shards.tasks import Count
from orchestrator.store import Store

_EXAMPLES_PER_REPORT = 16


@dataclass(frozen=True)
class Pool:
    """A pool of actors.

    Attributes:
        workers: How many.
        cpus: CPUs of each; also the threads with which a model computes on CPUs.
        gpus: GPUs of each; a fraction lets several share one.
    """

    workers: int
    cpus: float
    gpus: float

    @classmethod
    def fitting(cls, capacity: tuple[float, float], workers: int | None, gpus: float | None) -> "Pool":
        """Returns the pool that fits a cluster: a worker for every GPU, or one with all CPUs where there is none.

        Args:
            capacity: CPUs and GPUs of the cluster.
            workers: How many workers somebody wants.
            gpus: How many GPUs of each.

        Raises:
            ConfigError: The cluster is too small for what is wanted; Ray would wait for ever.
        """
        has_cpus, has_gpus = capacity
        of_each = gpus if gpus is not None else min(1.0, has_gpus)
        count = workers or (max(1, int(has_gpus / of_each)) if of_each else 1)
        if of_each * count > has_gpus:
            raise ConfigError(
                "--gpus-per-worker", of_each, f"{has_gpus / count:g} or less for {count} workers: there are {has_gpus:g} GPUs"
            )
        if count > has_cpus:
            raise ConfigError("--workers", count, f"{int(has_cpus)} or less: there are {int(has_cpus)} CPUs")
        return cls(count, float(max(1, int(has_cpus / count))) if not of_each else 1.0, of_each)

    def run(self, source: Source, store: Store, plans: Sequence[ShardPlan], count: Count) -> Iterator[Outcome]:
        """Runs every plan on the Ray cluster; a plan whose actor dies is begun again by another. See `Runner`."""
        if not plans:
            return
        data = quiet_ray_data()
        rows = [{"plan": zlib.compress(pickle.dumps(plan), 1)} for plan in plans]
        stream = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Worker,
            batch_size=1,
            fn_constructor_args=(pickle.dumps(source), pickle.dumps(store), int(self.cpus)),
            # A plan takes long enough to be handed out one at a time: none waits behind another while an actor has nothing to do.
            compute=data.ActorPoolStrategy(size=self.workers, max_tasks_in_flight_per_actor=1),
            num_cpus=self.cpus,
            num_gpus=self.gpus,
        )
        # Every report leaves the actor at once, instead of with its last.
        stream.context.target_max_block_size = 1
        done = 0
        for row in stream.iter_rows():
            if row["examples"]:
                done += row["examples"]
                count(done)
            else:
                yield pickle.loads(row["outcome"])  # noqa: S301  made by the actor


class _Worker:
    """An actor: holds the source, and so the estimator, and builds one shard after the other."""

    def __init__(self, source: bytes, store: bytes, threads: int) -> None:
        _use_threads(threads)
        self._source: DepthSource = pickle.loads(source)  # noqa: S301  made by `Pool.run`
        self._store: Store = pickle.loads(store)  # noqa: S301  made by `Pool.run`

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, list[Any]]]:
        """Reports the examples that are done as it goes, and the outcome at the end.

        What is reported depends on the plan alone, never on time: Ray counts the reports when it begins a task again.
        """
        plan: ShardPlan = pickle.loads(zlib.decompress(batch["plan"][0]))  # noqa: S301  made by `Pool.run`
        ticks: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        work = threading.Thread(target=lambda: ticks.put(self._outcome(plan, ticks)), daemon=True)
        work.start()
        reported, outcome = 0, None
        while outcome is None:
            ended = 0
            while ended < _EXAMPLES_PER_REPORT and outcome is None:
                outcome = ticks.get()
                ended += outcome is None
            if outcome is None:
                reported += ended
                yield _report(ended, b"")
        work.join()
        for start in range(reported, len(plan.items), _EXAMPLES_PER_REPORT):
            yield _report(min(_EXAMPLES_PER_REPORT, len(plan.items) - start), b"")
        yield _report(0, pickle.dumps(outcome))

    def _outcome(self, plan: ShardPlan, ticks: "queue.SimpleQueue[Outcome | None]") -> Outcome:
        try:
            return run_plan(self._source, self._store, plan, lambda: ticks.put(None))
        except Exception as error:
            return Outcome(plan.path, Receipt(None, ()), f"{plan.path}: {type(error).__name__}: {error}")


def run_here(source: Source, store: Store, plans: Sequence[ShardPlan], count: Count) -> Iterator[Outcome]:
    """Runs one plan after the other in this process; see `Runner`."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        count(done)

    for plan in plans:
        yield run_plan(source, store, plan, tick)


def _report(examples: int, outcome: bytes) -> dict[str, list[Any]]:
    return {"examples": [examples], "outcome": [outcome]}


def _use_threads(threads: int) -> None:
    """Lets torch compute with the CPUs that the actor has; set before it is imported."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
