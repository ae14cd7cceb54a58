"""Hands runs to Ray Tune and waits; results are read from the ledger, never from Tune."""

import logging
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ray import tune

from g3dr.errors import G3drError
from orchestrator.cluster.tidying import forget_artifacts, session_folder
from orchestrator.executors.distributed import drive
from orchestrator.executors.inline import InlineRun
from orchestrator.executors.news import ProgressNews, Silence
from orchestrator.executors.places import obstacle_now
from orchestrator.executors.queue import RunQueue
from orchestrator.executors.scheduler import Rule, RunScheduler, StopRequests
from orchestrator.experiment.failure_spec import FailureSpec
from orchestrator.planning.capacity import DRIVER_BYTES, DRIVER_CPUS, Resources
from orchestrator.running.desk import LedgerDesk
from orchestrator.running.watching import Watch
from orchestrator.search.proposals import Proposals
from orchestrator.store import Store

RUNS_PER_TUNER = 500
"""Tune remembers every trial, some 30 KB each; a new Tuner starts from nothing, so the driver's memory does not grow."""

_LOOK_SECONDS = 1.0
_MOST_BREAKDOWNS = 3
_OF_TRIALS = {"retries", "preemptions", "placement_seconds"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """Runs of one kind.

    Attributes:
        proposals: Which.
        resources: What each gets; several workers use Ray Train.
        concurrency: Largest number of runs at a time.
        grows: Whether the cluster adds machines when they are asked for.
        rule: An early-stopping rule, if any.
        inline: What computes runs of one worker; tests and benchmarks have others.
    """

    proposals: Proposals
    resources: Resources
    concurrency: int
    grows: bool = False
    rule: Rule | None = None
    inline: type[InlineRun] = InlineRun


def compute(work: Work, desk: LedgerDesk, *, root: Store, policy: FailureSpec, watch: Watch) -> None:
    """Computes runs; those that fail are in the ledger with their reason.

    Args:
        work: The runs.
        desk: The ledger and people.
        root: The ledger's store.
        policy: What to do about failures.
        watch: Gets the news.
    """
    queue = RunQueue(work.proposals, desk, policy, watch)
    scheduler = RunScheduler(
        queue,
        desk,
        work.rule,
        placement_seconds=policy.placement_seconds,
        obstacle=lambda: obstacle_now(work.resources, grows=work.grows),
        tell=watch.run_waits,
        warm=work.concurrency if work.resources.executor == "inline" else 0,
    )
    _count_no_callbacks()
    _pass_no_keys_on()
    settings = {"root": root.uri, "grows": work.grows, **policy.model_dump(include=_OF_TRIALS)}

    def begin() -> None:
        with _scratch(root) as scratch, _artifacts() as name:
            _tuner(work, queue, scheduler, {**settings, "scratch": scratch}, name=name, watch=watch).fit()

    _until_over(queue, begin, watch)


def _count_no_callbacks() -> None:
    """Ray's telemetry imports MLflow, where that is installed, to tell our callback from Ray's own: more than a second, and its memory."""
    from ray.air._internal import usage  # noqa: PLC0415

    usage.tag_callbacks = lambda _: False


def _pass_no_keys_on() -> None:
    """Tune gives its actors the driver's keys of AWS in clear, and Ray writes them into logs, command lines and lists of actors.

    Every machine has its own keys, or a submitted job brought them sealed (docs/submitting.md).
    """
    from ray.tune.execution import class_cache  # noqa: PLC0415

    class_cache.ENV_VARS_TO_PROPAGATE.difference_update([name for name in class_cache.ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")])


def _until_over(queue: RunQueue, begin: Callable[[], None], watch: Watch) -> None:
    """Begins one Tuner after the other until nothing is left to do."""
    breakdowns = 0
    while not queue.is_over:
        if not queue.open(RUNS_PER_TUNER):
            time.sleep(_LOOK_SECONDS)  # for the end of a pause, or for runs of another orchestrator
            continue
        try:
            begin()
            breakdowns = 0
        except G3drError:
            raise
        except Exception as error:  # Tune writes notes of its own to the store, and speaks to a head node that may be away
            breakdowns += 1
            if breakdowns > _MOST_BREAKDOWNS:
                raise
            logger.debug("Tune broke down", exc_info=True)
            watch.note(f"Ray Tune broke down ({type(error).__name__}: {_first_line(error)}) and is started again")
        queue.close()


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")


def _tuner(work: Work, queue: RunQueue, scheduler: RunScheduler, config: dict[str, Any], *, name: str, watch: Watch) -> tune.Tuner:
    return tune.Tuner(
        _trainable(work),
        param_space=config,
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=queue,
            scheduler=scheduler,
            max_concurrent_trials=work.concurrency,
            reuse_actors=work.resources.executor == "inline",
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=config["scratch"],
            verbose=0,
            progress_reporter=Silence(),
            stop=StopRequests(queue),
            callbacks=[ProgressNews(watch)],
            failure_config=tune.FailureConfig(max_failures=0),  # the queue tries again, after a pause
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )


@contextmanager
def _artifacts() -> Iterator[str]:
    """Yields a name for Tune's experiment; what Tune keeps of it on this machine is deleted at the end."""
    name = f"tune-{uuid.uuid4().hex[:12]}"
    try:
        yield name
    finally:
        folder = session_folder()
        if folder is not None:
            _beside(forget_artifacts, folder, name)


@contextmanager
def _scratch(store: Store) -> Iterator[str]:
    """Yields where Tune and Train may keep what nobody reads back: beside the ledger where several machines need it."""
    if "://" in store.uri:
        path = f"scratch/{uuid.uuid4().hex[:12]}"
        try:
            yield store.child(path).uri
        finally:
            _beside(store.delete, path)
        return
    folder = tempfile.mkdtemp(prefix="g3dr-tune-")
    try:
        yield folder
    finally:
        _beside(shutil.rmtree, folder, ignore_errors=True)


def _beside(delete: Callable[..., object], *what: object, **how: object) -> None:
    """Deletes while the next stage begins: five milliseconds for each run. The process does not end before it is done."""

    def deleted() -> None:
        try:
            delete(*what, **how)
        except G3drError as error:  # the store may be away; nobody reads what stays
            logger.warning("could not delete what Ray Tune left: %s", error)

    threading.Thread(target=deleted, name="tidying").start()


def _trainable(work: Work) -> Any:
    resources = work.resources
    if resources.executor == "distributed":
        return tune.with_resources(drive, {"memory": DRIVER_BYTES} if resources.is_elastic or work.grows else {"CPU": DRIVER_CPUS})
    asked = {"CPU": resources.cpus_per_worker}
    if resources.gpus_per_worker:
        asked["GPU"] = resources.gpus_per_worker
    return tune.with_resources(work.inline, asked)
