"""`g3dr data show`: what is in a dataset, in numbers and in pictures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.cli import consoles
from orchestrator.cli.data.words import plural
from orchestrator.experiment.byte_sizes import format_bytes
from orchestrator.store import Store, open_store

if TYPE_CHECKING:
    from orchestrator.shards.summary import Summary

_SPECIES_SHOWN = 24
_QUARANTINE_SHOWN = 5
_VERSIONS_SHOWN = 8


def show_command(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="The dataset: a folder or s3://bucket/prefix.")],
    *,
    version: Annotated[str, typer.Option(help="An earlier version, or its first letters.")] = "",
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet of every species with its depth here, as PNG.")] = None,
    quarantine: Annotated[bool, typer.Option("--quarantine", help="List everything that was left out, with its reason.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Show what a dataset holds: versions, rows of every species and split, bytes, what was left out, and a contact sheet.

    Example: g3dr data show s3://my-bucket/datasets/birds --sheet birds.png
    """
    from orchestrator.shards.summary import summarize  # noqa: PLC0415  (brings pyarrow)

    store, console = open_store(dataset), consoles.console()
    summary = summarize(store, version)
    if sheet is not None:
        _write_sheet(store, summary.version, sheet)
    if as_json:
        print(json.dumps(summary.to_document(), indent=1))
        return
    _print_head(summary, console)
    _print_species(summary, console)
    _print_quarantine(summary, console, most=None if quarantine else _QUARANTINE_SHOWN)
    _print_versions(summary, console)
    if sheet is not None:
        console.print(f"contact sheet: {sheet}", markup=False)
    console.print(f"Next: g3dr data verify {dataset}" if sheet else f"Next: g3dr data show {dataset} --sheet sheet.png", markup=False)


def _write_sheet(store: Store, version: str, path: Path) -> None:
    from g3dr.export.pictures import save_png  # noqa: PLC0415  (brings torch)
    from orchestrator.shards import read_manifest  # noqa: PLC0415
    from orchestrator.shards.sheet import dataset_sheet  # noqa: PLC0415

    manifest = read_manifest(store, version)
    if manifest is not None:
        save_png(dataset_sheet(store, manifest), path)


def _print_head(summary: "Summary", console: Console) -> None:
    splits = ", ".join(f"{count:,} {split}" for split, count in summary.rows.items())
    console.print(f"{summary.uri}: version {summary.version}", markup=False)
    counted = f"{plural(sum(summary.rows.values()), 'row')} ({splits}) of {len(summary.species):,} species"
    console.print(f"{counted}, {format_bytes(summary.bytes)} in {plural(summary.shards, 'shard')}")
    lacking = sum(one.rows_without_depth for one in summary.species)
    console.print("depth: every row has a depth map" if not lacking else f"depth: {plural(lacking, 'row')} without a depth map")
    console.print(f"packed from: {_source(summary)}", markup=False)


def _source(summary: "Summary") -> str:
    source = summary.source
    named = {"folder": source.get("folder"), "dataset": source.get("version"), "procedural": f"seed {source.get('seed')}"}
    return f"{source.get('kind', 'unknown')} {named.get(str(source.get('kind')), '')}".strip()


def _print_species(summary: "Summary", console: Console) -> None:
    table = Table("species", *summary.rows, "bytes", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in summary.species[:_SPECIES_SHOWN]:
        table.add_row(escape(one.species), *(f"{one.rows.get(split, 0):,}" for split in summary.rows), format_bytes(one.bytes))
    console.print(table)
    if len(summary.species) > _SPECIES_SHOWN:
        console.print(f"and {len(summary.species) - _SPECIES_SHOWN:,} more species, listed with --json")


def _print_quarantine(summary: "Summary", console: Console, most: int | None) -> None:
    if not summary.quarantine:
        console.print("left out: nothing")
        return
    console.print(f"left out: {len(summary.quarantine):,}")
    for entry in summary.quarantine[:most]:
        console.print(f"  {entry.key}: {entry.reason}", markup=False)
    if most is not None and len(summary.quarantine) > most:
        console.print(f"  and {len(summary.quarantine) - most:,} more, listed with --quarantine")


def _print_versions(summary: "Summary", console: Console) -> None:
    console.print("versions:")
    for line in summary.versions[:_VERSIONS_SHOWN]:
        date = line.packed.removesuffix("+00:00").replace("T", " ") or "unknown date       "
        rows = plural(line.rows, "row")
        console.print(f"  {line.version}  {date}  {rows} of {line.species:,} species{'  (current)' if line.current else ''}")
    if len(summary.versions) > _VERSIONS_SHOWN:
        console.print(f"  and {len(summary.versions) - _VERSIONS_SHOWN:,} older ones, listed with --json")
