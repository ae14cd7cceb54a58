"""The same as the command line, for Python and notebooks: `e = orchestrator.load("x.yaml"); e.plan(); e.run(); e.results()`.

Nothing prints. Tables are pandas frames; pandas, torch and ray are imported when the first method needs them.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from g3dr.errors import CheckpointError, ConfigError, G3drError, did_you_mean
from orchestrator.experiment.loading import experiment_of, load_experiment
from orchestrator.experiment.spec import Experiment
from orchestrator.ledger import Ledger, RunStatus
from orchestrator.planning.expand import WaitError, best_request, expand_stage
from orchestrator.planning.knowledge import Deferred, Knowledge
from orchestrator.planning.plan_records import Plan
from orchestrator.planning.prices import read_prices
from orchestrator.running.execution import Execution
from orchestrator.running.watching import Watch
from orchestrator.runs import RunRequest

if TYPE_CHECKING:
    import pandas as pd

    from g3dr.model import G3DR


def load(
    source: str | Path | Mapping[str, Any],
    set: Iterable[str] = (),  # noqa: A002  (as on the command line)
    root: str | Path | None = None,
) -> "LoadedExperiment":
    """Reads and checks an experiment.

    Args:
        source: Its file, or what would stand in it as a mapping.
        set: `path=value` texts that replace values, `~path` to take one out.
        root: Where everything is kept, in place of what the file says: a folder or `s3://bucket/prefix`.

    Raises:
        ExperimentError: With every problem.
    """
    place = None if root is None else str(root)
    if isinstance(source, Mapping):
        return LoadedExperiment(experiment_of(source, set, place))
    return LoadedExperiment(load_experiment(source, set, place), str(source))


class LoadedExperiment:
    """An experiment on its root; the ledger there is all that it remembers, so two of them, or one tomorrow, see the same.

    Args:
        experiment: What the file says.
        file: Its path, for the report; empty for none.
    """

    def __init__(self, experiment: Experiment, file: str = "") -> None:
        self.experiment, self._file = experiment, file

    @cached_property
    def _execution(self) -> Execution:
        return Execution(self.experiment, file=self._file)

    @property
    def ledger(self) -> Ledger:
        """Where its runs are."""
        return self._execution.ledger

    def plan(self, prices: str | None = None) -> Plan:
        """Returns what would run; a notebook shows it as a table. Nothing starts.

        Args:
            prices: A file of prices; that of G3DR_PRICES without it.

        Raises:
            ExperimentError: The experiment does not fit its data.
        """
        return self._execution.plan(read_prices(prices))

    def run(self, watch: Watch | None = None, *, fail_fast: bool = False) -> str:
        """Computes what the ledger lacks, on the cluster that RAY_ADDRESS names, else on this machine, and writes the report.

        Args:
            watch: Gets the news; nobody without it.
            fail_fast: Stop at the first run that fails.

        Returns:
            Where the report lies.

        Raises:
            InfeasibleError: A stage does not fit the cluster; nothing has started then.
            RunFailedError: Runs failed; everything that does not need them was done.
        """
        execution = Execution(self.experiment, watch, self._file, fail_fast=fail_fast)
        return f"{execution.store.uri}/{execution.run()}"

    def runs(self) -> "pd.DataFrame":
        """Returns one row per run of each stage, in their order, with state, steps and time, and swept values as columns.

        Runs that cannot be named yet (later proposals of a search) are left out.
        """
        return self._frame(metrics=False)

    def results(self) -> "pd.DataFrame":
        """Returns the same with one column per metric of the measurement that the stage asks for; empty where it is not done yet."""
        return self._frame(metrics=True)

    def curves(self, run: str) -> "pd.DataFrame":
        """Returns what a run logged while it trained, one row per logged step.

        Args:
            run: Its id, or as many of its first digits as it takes; or a stage that has one run or a best one.
        """
        import pandas as pd  # noqa: PLC0415

        rows = self.ledger.metrics(self._id(run))
        columns = dict.fromkeys(["step", *(name for row in rows for name in row)])
        return pd.DataFrame(rows, columns=list(columns))

    def best(self, stage: str) -> str:
        """Returns the id of the best run of a stage, by the metric that it names; of a stage with one run, that one.

        Raises:
            ConfigError: There is no such stage, or it has many runs and compares nothing.
            CheckpointError: Its runs are not over.
        """
        return self._best(stage).spec.id

    def checkpoint(self, stage: str) -> str:
        """Returns where the last checkpoint of a stage's (best) run lies, a folder or a URI as `from:` and `--checkpoint` take it.

        Raises:
            ConfigError: As for `best`.
            CheckpointError: There is none yet.
        """
        path = self._best(stage).final_checkpoint
        if not self.ledger.store.list(path):
            raise CheckpointError(f"{self.experiment.name}/{stage}: no checkpoint yet in {self.ledger.store.uri}; run the experiment first")
        return self.ledger.store.child(path).uri

    def model(self, stage: str) -> "G3DR":
        """Returns the model of that checkpoint, ready to be used, on the CPU."""
        from orchestrator.checkpoints import load_model  # noqa: PLC0415

        return load_model(self.checkpoint(stage), self.ledger.store)

    def _repr_html_(self) -> str:
        return self.plan()._repr_html_()

    # how

    def _knowledge(self) -> Knowledge:
        execution = self._execution
        execution.find_datasets()
        return execution.knowledge().remembering()

    def _requests(self) -> list[RunRequest]:
        knowledge, found = self._knowledge(), list[RunRequest]()
        for stage in self.experiment.stages:
            expansion = expand_stage(self.experiment, stage, knowledge)
            found += expansion.requests if isinstance(expansion, Deferred) else expansion
        return found

    def _frame(self, *, metrics: bool) -> "pd.DataFrame":
        import pandas as pd  # noqa: PLC0415

        requests = self._requests()
        statuses = self.ledger.statuses([request.spec.id for request in requests])
        rows = [self._row(request, statuses.get(request.spec.id)) for request in requests]
        if metrics:
            rows = [{**row, **self._metrics(request)} for row, request in zip(rows, requests, strict=True)]
        return pd.DataFrame(rows)

    def _row(self, request: RunRequest, status: RunStatus | None) -> dict[str, Any]:
        stage = self.experiment.stage(request.stage)
        return {
            "run": request.spec.id,
            "evaluation": request.measurement or None,
            "stage": stage.name,
            "kind": stage.kind,
            "label": request.label,
            "species": request.species,
            "recipe": request.recipe,
            "seed": request.spec.seed,
            "state": status.state if status else "missing",
            "step": status.step if status else 0,
            "steps": request.spec.training.steps,
            "seconds": status.seconds if status else 0.0,
            "seconds_per_step": status.seconds_per_step if status and status.seconds_per_step else None,
            "error": status.error if status else None,
            **request.assignment,
        }

    def _metrics(self, request: RunRequest) -> dict[str, float]:
        record = self.ledger.evaluation(request.spec.id, request.measurement) if request.measurement else None
        return {} if record is None else dict(record["metrics"])

    def _best(self, name: str) -> RunRequest:
        names = [stage.name for stage in self.experiment.stages]
        if name not in names:
            raise ConfigError("stage", name, f"one of {', '.join(names)}", did_you_mean(name, names))
        knowledge = self._knowledge()
        try:
            expansion = expand_stage(self.experiment, self.experiment.stage(name), knowledge)
            if not isinstance(expansion, Deferred) and len(expansion) == 1:
                return expansion[0]
            return best_request(self.experiment, name, knowledge)
        except WaitError as wait:
            raise CheckpointError(f"{self.experiment.name}/{name}: {wait}; run the experiment first") from None

    def _id(self, name: str) -> str:
        if name in [stage.name for stage in self.experiment.stages]:
            return self.best(name)
        ids = list(dict.fromkeys(request.spec.id for request in self._requests()))
        found = [run for run in ids if run.startswith(name)] if name else []
        if len(found) != 1:
            several = f"{len(found)} runs begin so" if found else "no run of this experiment begins so"
            raise G3drError(f"{name!r}: {several}; allowed: a run's id from e.runs(), its first digits, or the name of a stage")
        return found[0]
