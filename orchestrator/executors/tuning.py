"""Hands runs to Ray Tune and waits; results are read from the ledger, never from Tune."""

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search import Searcher

from orchestrator.capacity import DRIVER_CPUS, Resources
from orchestrator.executors.distributed import drive
from orchestrator.executors.inline import InlineRun
from orchestrator.ledger import Ledger, RunStatus
from orchestrator.runs import RunRequest
from orchestrator.search import direction
from orchestrator.spec import SweepStage
from orchestrator.store import Store
from orchestrator.watching import Watch

MAX_CRASHES = 3


@dataclass(frozen=True)
class Work:
    """What Tune is to do.

    Attributes:
        requests: The runs, if they are all known before the first starts.
        searcher: Otherwise, the one that proposes them.
        proposals: How many runs the searcher may propose.
        scheduler: An early-stopping rule, if any.
    """

    requests: Sequence[RunRequest] = ()
    searcher: Searcher | None = None
    proposals: int = 0
    scheduler: TrialScheduler | None = None


def early_stopping(stage: SweepStage) -> TrialScheduler | None:
    """Returns the early-stopping rule that a sweep asks for, on the run's own step, which survives restarts.

    A run measures itself at the steps of `AshaSpec.rungs`, the same that the rule looks at. A rule made for a resumed
    sweep starts empty: runs that are continued report their earlier rungs again, but those that were over before are
    not compared any more. The first run to reach a rung always goes on, so a resumed sweep may train a little more.
    """
    asha = stage.search.asha
    if asha is None:
        return None
    return ASHAScheduler(
        time_attr="step",
        metric=stage.search.metric,
        mode=direction(stage.search),
        grace_period=asha.grace_steps,
        reduction_factor=asha.reduction_factor,
        max_t=2**31,
    )


class TrialNews(tune.Callback):  # type: ignore[misc]  # ray has no types
    """Passes Tune's news on to a `Watch`, and writes down which runs the early-stopping rule ended, and at which rung.

    Only the driver knows that a run is stopped on purpose; a run that was interrupted stays `running` in the ledger,
    and is continued.
    """

    def __init__(self, watch: Watch, ledger: Ledger) -> None:
        self._watch, self._ledger = watch, ledger

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks into a file that nobody reads back; a terminal cannot be pickled."""
        return {}

    def on_trial_result(self, *, trial: Trial, result: dict[str, Any], **_: object) -> None:
        """A run reported."""
        self._watch.run_progress(_label(trial), int(result.get("step", 0)), int(result.get("steps", 0)), result.get("metrics", {}))

    def on_trial_complete(self, *, trial: Trial, **_: object) -> None:
        """A run is over: finished, failed with a sentence, or stopped because it was behind."""
        result = trial.last_result or {}
        state = result.get("state", "failed")
        if state == "running" and result["step"] in json.loads(trial.config["request"])["rungs"]:
            state = "stopped"
            self._stop(result["run"], result["step"])
        self._watch.run_ended(_label(trial), state, result.get("error"))

    def _stop(self, run: str, rung: int) -> None:
        status = self._ledger.status(run) or RunStatus("running")
        self._ledger.set_status(run, replace(status, state="stopped", step=rung))

    def on_trial_error(self, *, trial: Trial, **_: object) -> None:
        """A run's process died more often than is tried again."""
        self._watch.run_ended(_label(trial), "failed", f"its process died {MAX_CRASHES + 1} times; its log ends with {trial.get_error()}")


def _label(trial: Trial) -> str:
    return str(json.loads(trial.config["request"])["label"])


def compute(work: Work, *, ledger: Ledger, resources: Resources, concurrency: int, watch: Watch) -> None:
    """Computes runs, at most `concurrency` at once; those that fail are in the ledger with their reason.

    Args:
        work: The runs or their searcher.
        ledger: Where they are kept.
        resources: What each run gets; several workers use Ray Train.
        concurrency: Largest number of runs at a time.
        watch: Gets the news.
    """
    with _scratch(ledger.store) as scratch:
        common = {"root": ledger.store.uri, "scratch": scratch}
        known = {} if work.searcher else {"request": tune.grid_search([json.dumps(request.to_json()) for request in work.requests])}
        tuner = tune.Tuner(
            _trainable(resources),
            param_space={**common, **known},
            tune_config=tune.TuneConfig(
                num_samples=work.proposals if work.searcher else 1,
                search_alg=work.searcher,
                scheduler=work.scheduler,
                max_concurrent_trials=concurrency,
                reuse_actors=resources.executor == "inline",
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=scratch,
                verbose=0,
                callbacks=[TrialNews(watch, ledger)],
                failure_config=tune.FailureConfig(max_failures=MAX_CRASHES),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        tuner.fit()


@contextmanager
def _scratch(store: Store) -> Iterator[str]:
    """Yields where Tune and Train may keep what nobody reads back: beside the ledger where several machines need it."""
    if "://" in store.uri:
        path = f"scratch/{uuid.uuid4().hex[:12]}"
        try:
            yield store.child(path).uri
        finally:
            store.delete(path)
        return
    folder = tempfile.mkdtemp(prefix="g3dr-tune-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _trainable(resources: Resources) -> Any:
    if resources.executor == "distributed":
        return tune.with_resources(drive, {"CPU": DRIVER_CPUS})
    asked = {"CPU": resources.cpus_per_worker}
    if resources.gpus_per_worker:
        asked["GPU"] = resources.gpus_per_worker
    return tune.with_resources(InlineRun, asked)
