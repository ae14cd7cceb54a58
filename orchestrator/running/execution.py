"""Runs an experiment: stage by stage, what the ledger does not have yet; then writes the report.

Kill it anywhere and run it again: nothing that is finished is repeated, nothing that was begun is lost.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from g3dr.errors import G3drError
from orchestrator.checkpoints import check_outside, outside_identities
from orchestrator.cluster import LOCAL_SPARE_CPUS, connected, local_capacity, names_cluster
from orchestrator.datasets import find_datasets, prepare_datasets
from orchestrator.experiment.spec import AnyStage, Experiment
from orchestrator.ledger import LeaseKeeper, Leases, Ledger
from orchestrator.lineage import git_state
from orchestrator.observing import Observed
from orchestrator.planning.capacity import Capacity, Node
from orchestrator.planning.evidence import evidence_of
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.expense import Estimate
from orchestrator.planning.knowledge import DatasetInfo, Deferred, Knowledge, Outcome
from orchestrator.planning.plan import InfeasibleError, Plan, make_plan
from orchestrator.planning.prices import Prices
from orchestrator.running.control import Control
from orchestrator.running.desk import LedgerDesk
from orchestrator.running.live import LiveFile
from orchestrator.running.outcomes import Outcomes
from orchestrator.running.stages import StageRunner
from orchestrator.running.tidying import Tidier
from orchestrator.running.watching import Together, Watch
from orchestrator.runs import COMPUTE_VERSION, RunRequest
from orchestrator.store import open_store


class RunFailedError(G3drError):
    """Some runs failed; their sentences are in the ledger. Exit code 1."""


class StoppedError(RunFailedError):
    """Somebody asked to stop the experiment; what was done is kept. Exit code 1."""


class Execution:
    """One experiment on one root.

    Args:
        experiment: The experiment.
        watch: Gets the news.
        file: The experiment's file, for the report.
        fail_fast: Stop at the first run that fails, whatever the experiment says.

    Raises:
        StoreError: The root cannot be used.
    """

    def __init__(self, experiment: Experiment, watch: Watch | None = None, file: str = "", *, fail_fast: bool = False) -> None:
        self.experiment, self.watch, self._file = experiment, watch or Watch(), file
        self.store = open_store(experiment.root)
        self.ledger = Ledger(self.store)
        self.outcomes = Outcomes(self.ledger)
        self.datasets: dict[str, DatasetInfo | None] = {}
        self.capacity = machine_capacity()
        self.estimates: dict[str, Estimate] = {}
        self.policy = experiment.failures.model_copy(update={"fail_fast": fail_fast or experiment.failures.fail_fast})

    def outcome(self, request: RunRequest) -> Outcome | None:
        """Returns how a run ended, with its evaluation; None while something of it is missing. See `Outcomes`."""
        return self.outcomes(request)

    def is_finished(self, request: RunRequest) -> bool:
        """Tells whether nothing of a run is missing; a failed one is tried again."""
        return _is_over(self.outcome(request))

    def knowledge(self) -> Knowledge:
        """Returns what stages expand from: the data sets found last, and the ledger."""
        checkpoints = outside_identities(self.experiment, self.store)
        return Knowledge(self.datasets, self.outcome, checkpoints, COMPUTE_VERSION)

    def find_datasets(self) -> None:
        """Looks which data sets are packed."""
        self.datasets = find_datasets(self.store, self.experiment)

    @contextmanager
    def at_cluster(self) -> Iterator[None]:
        """Stays connected for the length of a with block to the cluster that the environment names, if it names one, to plan for it.

        Raises:
            ClusterError: It does not answer.
            ConfigError: The file that says what it can grow to does not.
        """
        if not names_cluster():
            yield
            return
        with connected() as self.capacity:
            yield

    def plan(self, prices: Prices | None = None) -> Plan:
        """Plans for the cluster at hand: the connected one, else this machine.

        Args:
            prices: Of machines; without them the plan has no costs.

        Raises:
            StoreError: The root cannot be used.
            ExperimentError: The experiment does not fit its data.
        """
        self.store.check()
        self.datasets = find_datasets(self.store, self.experiment)
        knowledge, done = self.knowledge().remembering(), list[RunRequest]()

        def is_finished(request: RunRequest) -> bool:
            if not _is_over(knowledge.outcome(request)):
                return False
            done.append(request)
            return True

        is_here = not (names_cluster() or self.capacity.grows)
        evidence = evidence_of(self.experiment, self.ledger, prices, lambda: done, is_here=is_here)
        made = make_plan(self.experiment, knowledge, is_finished, self.capacity, evidence)
        self.estimates = {stage.name: stage.estimate for stage in made.stages}
        return made

    def _check_fit(self) -> None:
        """Refuses what does not fit the cluster or the data; asks the ledger for no more than it must."""
        self.datasets = find_datasets(self.store, self.experiment)
        try:
            make_plan(self.experiment, self.knowledge(), lambda _: False, self.capacity).check()
        except InfeasibleError:  # but what is done needs no room, and machines may be gone that were there for it
            make_plan(self.experiment, self.knowledge(), self.is_finished, self.capacity).check()

    def run(self) -> str:
        """Computes everything that is missing and writes the report; returns the report's path.

        Raises:
            InfeasibleError: A stage does not fit the cluster; nothing has started then.
            RunFailedError: Runs failed; everything that does not need them was done.
        """
        with ExitStack() as stack:
            if not self.is_complete():
                self._start(stack)
            self.ledger.write_experiment(self.experiment.name, self._record())
            failures = self._run_stages(stack)
        index = self._report()
        if failures:
            raise RunFailedError(f"{len(failures)} failed, everything else is done and in {index}; the first: {failures[0]}")
        return index

    def _announce(self, stack: ExitStack) -> None:
        """Lets other terminals and machines look on, and Prometheus."""
        live, before = stack.enter_context(LiveFile(self.store, self.experiment.name)), self.watch
        self.watch = Together(before, live.board, stack.enter_context(Observed(self.experiment.name)).tally)
        stack.callback(setattr, self, "watch", before)

    def _run_stages(self, stack: ExitStack) -> list[str]:
        """Runs the stages one after the other; returns the sentences of what failed.

        Raises:
            StoppedError: Somebody asked for it.
        """
        control, failures = Control(self.store), list[str]()
        control.begin(self.experiment.name)
        keeper = stack.enter_context(LeaseKeeper(Leases(self.store)))
        tidier = Tidier(self.experiment.name, self.experiment.retention, self.ledger, keeper, self.watch.note)
        desk = LedgerDesk(self.experiment.name, self.ledger, self.outcomes, keeper=keeper, control=control, tidier=tidier)
        runner = StageRunner(self, desk)
        for stage in self.experiment.stages:
            failures += self._run_stage(runner, stage, after_failures=bool(failures))
            if desk.stops():
                self.watch.experiment_ended("stopped")
                raise StoppedError(f"stopped on request in stage {stage.name}; run the same command again to continue")
            if failures and self.policy.fail_fast:
                break
        control.clear(self.experiment.name)
        return failures

    def is_complete(self) -> bool:
        """Tells whether the ledger has all of the experiment."""
        self.datasets = find_datasets(self.store, self.experiment)
        knowledge = self.knowledge().remembering()
        return all(self._stage_is_complete(stage, knowledge) for stage in self.experiment.stages)

    def _stage_is_complete(self, stage: AnyStage, knowledge: Knowledge) -> bool:
        expansion = expand_stage(self.experiment, stage, knowledge)
        if isinstance(expansion, Deferred):
            return False
        self.outcomes.prefetch(expansion)
        return all(_is_over(knowledge.outcome(request)) for request in expansion)

    def _start(self, stack: ExitStack) -> None:
        """Refuses what cannot work, connects to the cluster, checks the plan against what it really has, and packs what is missing."""
        self.store.check()
        if not names_cluster():
            self._refuse_early()
        self.watch.note("connecting to Ray" if names_cluster() else "starting Ray on this machine")
        self.capacity = stack.enter_context(connected())
        self._check_fit()
        self._announce(stack)
        prepare_datasets(self.store, self.experiment, self.watch)
        self._check_fit()  # again: now every name in the file can be compared with the data

    def _refuse_early(self) -> None:
        """Finds what is wrong with the input before a cluster of our own is started for it; threads pack before its processes are up."""
        self._check_fit()
        check_outside(self.experiment, self.store)
        prepare_datasets(self.store, self.experiment, self.watch)

    def _record(self) -> dict[str, Any]:
        infos = {name: info for name, info in self.datasets.items() if info is not None}
        datasets = [
            {"name": name, "uri": info.uri, "version": info.version, "rows": sum(info.rows.values())} for name, info in infos.items()
        ]
        lineage = {"file": self._file, "git": git_state(), "datasets": datasets, "compute_version": COMPUTE_VERSION}
        return {**self.experiment.to_json(), **lineage}

    def _run_stage(self, runner: StageRunner, stage: AnyStage, *, after_failures: bool) -> list[str]:
        """Runs one stage; returns the sentences of what failed. A stage that needs failed runs is left out."""
        try:
            return runner.run(stage)
        except G3drError as error:
            if not after_failures:
                raise
            self.watch.note(f"{stage.name}: left out, it needs runs that failed")
            return [f"{stage.name}: {error}"]

    def _report(self) -> str:
        from orchestrator.report import build_report  # noqa: PLC0415  (brings matplotlib)

        return str(build_report(self.store, self.experiment.name).index)


def _is_over(outcome: Outcome | None) -> bool:
    """Nothing of the run is missing; a failed one is tried again."""
    return outcome is not None and outcome.state != "failed"


def machine_capacity() -> Capacity:
    """Returns what a cluster on this machine would have."""
    return Capacity.of((Node(*local_capacity()),), LOCAL_SPARE_CPUS)
