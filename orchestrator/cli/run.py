"""`g3dr run`: computes what an experiment lacks and writes its report."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.prompt import Confirm

from g3dr.errors import G3drError
from orchestrator.cli.consoles import console
from orchestrator.cli.options import Changes, ExperimentFile, PricesFile, Root
from orchestrator.cli.plan_table import print_plan
from orchestrator.cli.watching import PlainWatch, watch_on
from orchestrator.experiment.loading import load_experiment
from orchestrator.planning.plan_records import Plan
from orchestrator.planning.prices import read_prices
from orchestrator.planning.thresholds import Threshold, read_threshold
from orchestrator.running.execution import Execution, RunFailedError
from orchestrator.running.watching import Together, Watch
from orchestrator.tracking.job_log import JobLog


def run(
    file: ExperimentFile,
    *,
    settings: Changes = None,
    root: Root = None,
    prices: PricesFile = None,
    ask_above: Annotated[
        list[str] | None,
        typer.Option("--ask-above", help="Ask only above a time or a cost: '2 h', '20 EUR'; G3DR_ASK_ABOVE without it."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first run that fails.")] = False,
) -> None:
    """Run an experiment: skip what is finished, continue what was interrupted, start what is missing.

    Example: g3dr run experiments/quickstart.yaml --yes
    """
    out = console()
    threshold = read_threshold(ask_above)
    watch = watch_on(out)
    execution = Execution(load_experiment(file, settings or (), root), watch, str(file), fail_fast=fail_fast)
    with JobLog(execution.store, execution.experiment.name, is_wanted=not out.is_terminal) as log:
        with execution.at_cluster():
            plan = execution.plan(read_prices(prices))
            print_plan(plan, out)
            plan.check()
            if all(stage.new == 0 for stage in plan.stages):
                out.print("everything is in the ledger already; writing the report", highlight=False)
            elif not (yes or _agreed(plan, threshold, out)):
                raise typer.Exit(1)
            execution.watch = Together(watch, _Begins(log))
            index = _run(execution, watch)
        _say_where(out, f"{execution.store.uri}/{index}")


class _Begins(Watch):
    """Has the job's log kept as soon as something is computed; what is refused before leaves nothing behind."""

    def __init__(self, log: JobLog) -> None:
        self._log = log

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:  # noqa: ARG002  (the watch's signature)
        """Something is computed."""
        self._log.begin()


def _run(execution: Execution, watch: PlainWatch) -> str:
    with watch:
        try:
            return execution.run()
        except RunFailedError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(1) from None


def _agreed(plan: Plan, threshold: Threshold | None, out: Console) -> bool:
    """Asks where a person can answer: always without a threshold, else above it. Elsewhere what is above is refused."""
    reason = "" if threshold is None else threshold.exceeded_by(plan)
    if threshold is not None and not reason:
        return True
    if is_answered_here():
        return bool(Confirm.ask(f"this {reason}; start?" if reason else "start?", console=out, default=not reason))
    if reason:
        raise G3drError(f"this {reason}, which is above --ask-above, and nobody can be asked here: add --yes to start it all the same")
    return True


def is_answered_here() -> bool:
    """Tells whether a person sits at the other end."""
    return sys.stdin.isatty()


def _say_where(out: Console, index: str) -> None:
    out.print(f"report: {index}", highlight=False, soft_wrap=True)
    out.print("next: open that page; change a value with --set and run again: what stays equal is not computed twice", highlight=False)
