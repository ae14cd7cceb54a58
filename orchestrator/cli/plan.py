"""`g3dr plan`: what an experiment would run, what of it is done, how long it takes, what it costs, and whether it fits."""

import json
from typing import Annotated

import typer

from orchestrator.cli.consoles import console
from orchestrator.cli.options import Changes, ClusterFile, ExperimentFile, PricesFile, Root
from orchestrator.cli.plan_table import print_plan
from orchestrator.cluster.growth import grown, read_document
from orchestrator.experiment.loading import load_experiment
from orchestrator.planning.plan_records import Plan
from orchestrator.planning.prices import Prices, read_prices
from orchestrator.running.execution import Execution


def plan(
    file: ExperimentFile,
    *,
    settings: Changes = None,
    root: Root = None,
    prices: PricesFile = None,
    cluster: ClusterFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what an experiment will run, what is in the ledger already, how long it takes, what it costs, and whether it fits.

    Starts nothing. It is planned for this machine, for the cluster that RAY_ADDRESS names with what that can grow to, or for --cluster.
    Times come from runs that the ledger has, prices from your file. Example: g3dr plan experiments/quickstart.yaml
    """
    made = _plan(Execution(load_experiment(file, settings or (), root)), read_prices(prices), cluster)
    if as_json:
        print(json.dumps(made.to_json(), indent=1))
    else:
        out = console()
        print_plan(made, out)
        verb = "run" if cluster is None else "submit"
        address = "" if cluster is None else f" --address http://127.0.0.1:8265 (where `ray dashboard {cluster}` brings the cluster's)"
        out.print(f"next: g3dr {verb} {file}{address}", highlight=False, soft_wrap=True)
    made.check()


def _plan(execution: Execution, prices: Prices | None, cluster: str | None) -> Plan:
    if cluster is not None:
        execution.capacity = grown(read_document(cluster))
        return execution.plan(prices)
    with execution.at_cluster():
        return execution.plan(prices)
