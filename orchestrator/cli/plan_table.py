"""Draws a plan."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.plan import Plan

_NUMBERS = {"runs", "done", "new", "steps", "at once"}


def print_plan(plan: Plan, console: Console) -> None:
    """Prints what will run, where, what of it is done, and what stands in the way."""
    console.print(f"[bold]{escape(plan.experiment)}[/bold]  {escape(plan.description)}")
    spare = f" ({plan.capacity.spare_cpus:g} of them for what mostly waits)" if plan.capacity.spare_cpus else ""
    console.print(f"results in {escape(plan.root)}; {plan.capacity.cpus:g} CPUs{spare}, {plan.capacity.gpus:g} GPUs")
    console.print(_table(plan))
    for stage in plan.stages:
        if stage.infeasible:
            console.print(f"[bold red]does not fit:[/bold red] {escape(stage.infeasible)}")
    for reason in dict.fromkeys(stage.waits_for for stage in plan.stages if stage.waits_for):
        console.print(f"[dim]not known yet: {escape(reason)}[/dim]")


def _table(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in plan.COLUMNS:
        table.add_column(name, justify="right" if name in _NUMBERS else "left", overflow="fold")
    for row in plan.table():
        table.add_row(*(escape(text) for text in row))
    return table
