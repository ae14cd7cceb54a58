"""`g3dr plan`: what an experiment would run, what of it is done, how long it takes, what it costs, and whether it fits."""

import json
from typing import Annotated

import typer

from orchestrator.cli.consoles import console
from orchestrator.cli.options import Changes, ExperimentFile, PricesFile, Root
from orchestrator.cli.plan_table import print_plan
from orchestrator.experiment.loading import load_experiment
from orchestrator.planning.prices import read_prices
from orchestrator.running.execution import Execution


def plan(
    file: ExperimentFile,
    settings: Changes = None,
    root: Root = None,
    prices: PricesFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what an experiment will run, what is in the ledger already, how long it takes, what it costs, and whether it fits.

    Starts nothing. Times come from runs that the ledger has, prices from your file. Example: g3dr plan experiments/quickstart.yaml
    """
    made = Execution(load_experiment(file, settings or (), root)).plan(read_prices(prices))
    if as_json:
        print(json.dumps(made.to_json(), indent=1))
    else:
        out = console()
        print_plan(made, out)
        out.print(f"next: g3dr run {file}", highlight=False, soft_wrap=True)
    made.check()
