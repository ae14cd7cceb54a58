"""`g3dr run`: computes what an experiment lacks and writes its report."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.prompt import Confirm

from orchestrator.cli.consoles import console
from orchestrator.cli.options import Changes, ExperimentFile, Root
from orchestrator.cli.plan_table import print_plan
from orchestrator.cli.watching import watch_on
from orchestrator.execution import Execution, RunFailedError
from orchestrator.loading import load_experiment


def run(
    file: ExperimentFile,
    settings: Changes = None,
    root: Root = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
) -> None:
    """Run an experiment: skip what is finished, continue what was interrupted, start what is missing.

    Example: g3dr run experiments/quickstart.yaml --yes
    """
    out = console()
    watch = watch_on(out)
    execution = Execution(load_experiment(file, settings or (), root), watch, str(file))
    plan = execution.plan()
    print_plan(plan, out)
    plan.check()
    if execution.is_complete():
        out.print("everything is in the ledger already; writing the report", highlight=False)
    elif not (yes or not sys.stdin.isatty() or Confirm.ask("start?", console=out, default=True)):
        raise typer.Exit(1)
    with watch:
        try:
            index = execution.run()
        except RunFailedError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
    _say_where(out, f"{execution.store.uri}/{index}")


def _say_where(out: Console, index: str) -> None:
    out.print(f"report: {index}", highlight=False, soft_wrap=True)
    out.print("next: open that page; change a value with --set and run again: what stays equal is not computed twice", highlight=False)
