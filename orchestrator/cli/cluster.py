"""`g3dr cluster`: what can be said about a cluster before it is paid for."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.cli.consoles import console
from orchestrator.cli.options import PricesFile
from orchestrator.cluster.checking import ClusterReport, HourlyCost, Offer, check_cluster
from orchestrator.planning.prices import read_prices

app = typer.Typer(help="Check a cluster file before anything is paid for.", no_args_is_help=True)


@app.callback()
def cluster() -> None:
    """Check a cluster file before anything is paid for. Example: g3dr cluster check cluster.yaml"""


@app.command("check")
def check_command(
    file: Annotated[Path, typer.Argument(help="A file of Ray's cluster launcher, or a KubeRay manifest.")],
    experiments: Annotated[
        list[Path] | None, typer.Option("--experiment", help="Experiment file whose stages must fit; as often as you like.")
    ] = None,
    prices: PricesFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List everything that is wrong in a cluster file, what an hour of it costs, and whether experiments fit. Offline; starts nothing.

    Example: g3dr cluster check cluster.yaml --experiment experiments/report_2024.yaml --prices prices.yaml
    """
    report = check_cluster(file, experiments or (), read_prices(prices))
    if as_json:
        print(json.dumps(report.to_json(), indent=1))
        if report.errors:
            raise typer.Exit(2)
        return
    _print(report, console())
    report.check()
    print(_next(report, file))


def _print(report: ClusterReport, out: Console) -> None:
    if report.offers:
        out.print(_table(report))
        for line in _lines(report):
            out.print(f"[dim]{escape(line)}[/dim]", soft_wrap=True)
    for finding in report.warnings:
        out.print(f"[yellow]warning:[/yellow] {escape(str(finding.problem))}", soft_wrap=True)


def _table(report: ClusterReport) -> Table:
    currency = report.cost.currency if report.cost else ""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("node type", "machine", "market"):
        table.add_column(name, no_wrap=True)
    for name in ("CPUs", "GPUs", "machines", f"{currency} an hour each".strip()):
        table.add_column(name, justify="right", no_wrap=True)
    for offer in report.offers:
        table.add_row(*(escape(cell) for cell in _cells(offer)))
    return table


def _cells(offer: Offer) -> tuple[str, ...]:
    machine = offer.machine
    count = str(machine.most) if machine.least == machine.most else f"{machine.least}..{machine.most}"
    cpus = "?" if machine.cpus is None else f"{machine.cpus:g}"
    name = f"{machine.name} (head)" if machine.is_head and machine.name != "head" else machine.name
    price = "unknown" if offer.price is None else f"{offer.price.per_hour:.4g}"
    price += "" if offer.otherwise is None else f" to {offer.otherwise:.4g}"
    return name, machine.instance or "-", machine.market or "-", cpus, f"{machine.gpus:g}", count, price


def _lines(report: ClusterReport) -> list[str]:
    lines = [_cost(report.cost, report.most_workers)] if report.cost else []
    lines += [f"{fit.experiment}, {fit.stage}: {fit.resources}: {fit.at_once} at a time" for fit in report.fits if fit.at_once]
    return [*lines, report.note] if report.note else lines


def _cost(cost: HourlyCost, most_workers: int) -> str:
    if not cost.currency:
        return "an hour costs: unknown, because there are no prices (--prices, docs/plan.md)"
    amounts = [f"{amount:.2f} {cost.currency}" if amount is not None else "unknown" for amount in (cost.idle, cost.most)]
    missing = f"; no price for {', '.join(cost.unpriced)}" if cost.unpriced else ""
    workers = f"{most_workers} worker{'' if most_workers == 1 else 's'}"
    bounds = f"{amounts[0]} while nothing runs, and at most {amounts[1]} with {workers}"
    return f"an hour costs {bounds}; without disks, storage and traffic{missing}"


def _next(report: ClusterReport, file: Path) -> str:
    if report.provider == "kuberay":
        return f"Next: kubectl apply -f {file}"
    return f"Next: ray up {file}"
