"""Draws a plan."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.planning.capacity import Capacity
from orchestrator.planning.durations import span_in_words
from orchestrator.planning.plan_records import Plan, cost_words, resource_words

_WORDS = {"stage", "kind", "data", "from"}
_SHOWN_SHARERS = 6


def print_plan(plan: Plan, console: Console) -> None:
    """Prints what will run, where, for how long, what of it is done or shared, and what stands in the way."""
    console.print(f"[bold]{escape(plan.experiment)}[/bold]  {escape(plan.description)}")
    console.print(f"results in {escape(plan.root)}; {escape(_capacity(plan))}", soft_wrap=True)
    console.print(_table(plan))
    for line in notes(plan):
        console.print(f"[dim]{escape(line)}[/dim]", soft_wrap=True)
    for stage in plan.stages:
        if stage.infeasible:
            console.print(f"[bold red]does not fit:[/bold red] {escape(stage.infeasible)}", soft_wrap=True)


def _capacity(plan: Plan) -> str:
    capacity = plan.capacity
    if capacity.grows:
        now = Capacity.of(capacity.now or ())
        there = f"; {now.cpus:g} CPUs, {now.gpus:g} GPUs now" if capacity.now else ""
        return f"a cluster that grows to {capacity.cpus:g} CPUs, {capacity.gpus:g} GPUs on {capacity.most} machines{there}"
    spare = f" ({capacity.spare_cpus:g} of them for what mostly waits)" if capacity.spare_cpus else ""
    machine = f" on {plan.machine}" if plan.machine else ""
    return f"{capacity.cpus:g} CPUs{spare}, {capacity.gpus:g} GPUs{machine}"


def notes(plan: Plan) -> Iterator[str]:
    """Yields the sentences below the table: time and cost in all, who shares what, and what is not known yet."""
    yield from _resources(plan)
    if any(stage.new != 0 for stage in plan.stages):
        yield _time(plan)
    if plan.currency and any(stage.new != 0 for stage in plan.stages):
        yield _cost(plan)
    for stage in plan.stages:
        shown = list(stage.sharers.items())
        for other, runs in shown[:_SHOWN_SHARERS]:
            yield f"shared: {runs} {'run' if runs == 1 else 'runs'} of {stage.name} also asked for by {other}; computed once"
        if len(shown) > _SHOWN_SHARERS:
            yield f"shared: runs of {stage.name} are in {len(shown) - _SHOWN_SHARERS} more stages; --json lists them"
    for reason in dict.fromkeys(stage.waits_for for stage in plan.stages if stage.waits_for):
        yield f"not known yet: {reason}"


def _resources(plan: Plan) -> Iterator[str]:
    stages: dict[str, list[str]] = {}
    for stage in plan.stages:
        stages.setdefault(resource_words(stage.resources), []).append(stage.name)
    for words, names in stages.items():
        yield f"each run gets {words}" + (f" ({', '.join(names)})" if len(stages) > 1 else "")


def _time(plan: Plan) -> str:
    left_out = "without starting Ray and packing data"
    if plan.seconds is not None:
        return f"time in all: {span_in_words(plan.seconds)}, one stage after the other, {left_out}{_scaled(plan)}"
    unknown = ", ".join(stage.name for stage in plan.stages if stage.time.seconds is None)
    known = f" besides {span_in_words(plan.known_seconds)} for the others" if plan.known_seconds.high else ""
    return f"time in all: unknown{known}, because nothing like {unknown} was run on this kind of machine yet"


def _scaled(plan: Plan) -> str:
    return "; ~ is scaled from runs of another size or machine" if any(stage.time.basis == "scaled" for stage in plan.stages) else ""


def _cost(plan: Plan) -> str:
    machines = {cost.machine: cost for stage in plan.stages if (cost := stage.cost) is not None}
    named = ", ".join(f"{name}{' (spot)' if cost.spot else ''}" for name, cost in machines.items())
    return f"cost in all: {cost_words(plan.cost, plan.currency)}" + (f", on {named}" if named else "")


def _table(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in plan.columns:
        table.add_column(name, justify="left" if name in _WORDS else "right", overflow="fold", no_wrap=name not in _WORDS)
    for row in plan.table():
        table.add_row(*(escape(text) for text in row))
    return table
