"""`g3dr plan`: what an experiment would run, what of it is done, and whether it fits."""

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.consoles import console
from orchestrator.cli.plan_table import print_plan
from orchestrator.execution import Execution
from orchestrator.loading import load_experiment


def plan(
    file: Annotated[Path, typer.Argument(help="An experiment file.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Replace a value: training.steps=100, stages.pretrain.workers=1.")
    ] = None,
    root: Annotated[str | None, typer.Option(help="Where everything is kept: a folder or s3://bucket/prefix.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what an experiment will run, what is in the ledger already, and whether it fits this machine.

    Starts nothing. Example: g3dr plan experiments/quickstart.yaml
    """
    made = Execution(load_experiment(file, settings or (), root)).plan()
    if as_json:
        print(json.dumps(made.to_json(), indent=1))
    else:
        out = console()
        print_plan(made, out)
        out.print(f"next: g3dr run {file}", highlight=False)
    made.check()
