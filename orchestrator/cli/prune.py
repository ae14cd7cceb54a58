"""`g3dr prune`: deletes what nobody needs any more."""

import sys
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.prompt import Confirm
from rich.table import Table

from g3dr.errors import G3drError
from orchestrator.cli.consoles import console
from orchestrator.cli.options import WhereRoot
from orchestrator.cli.progress import progress
from orchestrator.experiment.byte_sizes import format_bytes
from orchestrator.keeping.pruning import PrunePlan, prune_plan
from orchestrator.keeping.retention import Deletion
from orchestrator.ledger import Ledger
from orchestrator.store import open_store

_SHOWN = 8


def prune(
    experiment: Annotated[str | None, typer.Argument(help="Name of an experiment; all of them if it is not given.")] = None,
    root: WhereRoot = "results",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")] = False,
    orphans: Annotated[bool, typer.Option("--orphans", help="Delete runs too that no experiment of this root asks for.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deleting.")] = False,
) -> None:
    """Delete what nobody needs any more: checkpoints beyond the retention, optimizer states of finished runs, what crashes left behind.

    Never deletes a last or a best checkpoint, one that another run starts from, or anything of a run that is being computed.

    Example: g3dr prune quickstart --dry-run
    """
    store, out = open_store(root), console()
    store.check()
    plan = prune_plan(Ledger(store), None if experiment is None else [experiment], orphans=orphans)
    _show(plan, out)
    if not plan.entries:
        return
    words = f"g3dr prune{f' {experiment}' if experiment else ''} --root {store.uri}{' --orphans' if orphans else ''}"
    if dry_run:
        out.print(f"next: {words} deletes that", markup=False, soft_wrap=True)
        return
    _ask(out, words, yes=yes)
    freed = _apply(plan, out)
    out.print(f"freed {format_bytes(freed)}\nnext: g3dr status --root {store.uri}", markup=False, soft_wrap=True)


def _show(plan: PrunePlan, out: Console) -> None:
    """Prints what goes, summed up by its reason, and why other things stay."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("what", "left"), ("how many", "right"), ("size", "right"), ("why", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for (kind, reason), group in groupby(sorted(plan.entries, key=_sort), key=_sort):
        entries = list(group)
        table.add_row(kind, f"{len(entries):,}", format_bytes(sum(entry.bytes for entry in entries)), escape(reason))
    if plan.entries:
        out.print(table)
        out.print(f"{format_bytes(plan.bytes)} of {escape(plan.ledger.store.uri)} in all", soft_wrap=True)
    else:
        out.print("nothing that could be deleted")
    for path, reason in list(plan.kept_because.items())[:_SHOWN]:
        out.print(f"[dim]stays: {escape(path)}: {escape(reason)}[/dim]", soft_wrap=True)
    if len(plan.kept_because) > _SHOWN:
        out.print(f"[dim]and {len(plan.kept_because) - _SHOWN:,} more stay[/dim]")
    for complaint in plan.complaints:
        out.print(f"[yellow]{escape(complaint)}[/yellow]", soft_wrap=True)


def _sort(entry: Deletion) -> tuple[str, str]:
    return entry.kind, entry.reason


def _ask(out: Console, words: str, *, yes: bool) -> None:
    """Makes sure that a person wants it.

    Raises:
        G3drError: Nobody can be asked.
        typer.Exit: The answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise G3drError(f"nobody can be asked here, and nothing was deleted: {words} --yes deletes without asking")
    if not Confirm.ask("delete?", console=out, default=False):
        raise typer.Exit(1)


def _apply(plan: PrunePlan, out: Console) -> int:
    """Deletes run by run, under the lease of each."""
    entries = sorted(plan.entries, key=lambda entry: entry.run)
    freed, done = 0, 0
    with progress("deleting", "things", out) as advance:
        advance(0, len(entries))
        for _, group in groupby(entries, key=lambda entry: entry.run):
            part = tuple(group)
            freed += PrunePlan(plan.ledger, part).apply()
            done += len(part)
            advance(done, len(entries))
    return freed
