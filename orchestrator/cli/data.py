"""`g3dr data`: datasets as shards, checked, and made up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from g3dr.errors import ConfigError
from g3dr.procedural import ProceduralConfig, write_folder
from orchestrator.cli import consoles
from orchestrator.shards import FolderSource, Manifest, PackOptions, Source, pack, verify
from orchestrator.store import open_store

app = typer.Typer(help="Make, check and invent datasets.", no_args_is_help=True)
console = consoles.console()

_SHOWN = 10


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar on a terminal and at most ten plain lines elsewhere."""
    if not console.is_terminal:
        yield lambda done, total: _plain_line(title, done, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_line(title: str, done: int, total: int) -> None:
    if done == total or done % max(1, total // 10) == 0:
        console.print(f"{title}: {done} of {total}")


@app.command("pack")
def pack_command(
    source: Annotated[
        Path, typer.Argument(help="Folder: SPECIES/name.jpg with name_depth.png (16 bit) beside it; train/ and test/ above, or flat.")
    ],
    destination: Annotated[str, typer.Argument(metavar="DEST", help="Where the dataset goes: a folder or s3://bucket/prefix.")],
    *,
    resolution: Annotated[int | None, typer.Option(help="Crop and reduce to this side, pixels; else the files stay as they are.")] = None,
    held_out: Annotated[float, typer.Option(help="Fraction of every species for the test split.")] = 0.1,
    species: Annotated[str | None, typer.Option(help="Only these class folders, separated by commas.")] = None,
    seed: Annotated[int, typer.Option(help="Decides which are held out.")] = 0,
    depth_suffix: Annotated[str, typer.Option(help="Ending of the depth maps.")] = "_depth.png",
    rows_per_shard: Annotated[int, typer.Option(help="Most rows of one file.")] = 1024,
    strict: Annotated[bool, typer.Option(help="Refuse the first unusable picture instead of leaving it out.")] = False,
) -> None:
    """Pack a folder of pictures with depth maps into shards; run it again after an interruption to continue.

    Example: g3dr data pack photos/birds s3://my-bucket/datasets/birds --resolution 128
    """
    names = tuple(_words(species)) if species is not None else None
    folder = FolderSource(str(source), depth_suffix, names, held_out=held_out, seed=seed, resolution=resolution)
    _pack(folder, destination, PackOptions(rows_per_shard=rows_per_shard), strict=strict)


def _pack(source: Source, destination: str, options: PackOptions, *, strict: bool) -> None:
    with _progress("packing shards") as progress:
        manifest = pack(source, open_store(destination), options=options, strict=strict, progress=progress)
    _describe(manifest, destination)


def _describe(manifest: Manifest, destination: str) -> None:
    rows = f"{manifest.rows('train')} training and {manifest.rows('test')} test examples of {len(manifest.species())} species"
    console.print(f"{destination}: version {manifest.version}, {rows} in {len(manifest.shards)} shards")
    if manifest.quarantine:
        console.print(f"{len(manifest.quarantine)} left out:")
        for entry in manifest.quarantine[:_SHOWN]:
            console.print(f"  {entry.reason}", markup=False)
        if len(manifest.quarantine) > _SHOWN:
            console.print(f"  and {len(manifest.quarantine) - _SHOWN} more, listed in {destination}/manifest.json")
    console.print(f"Next: g3dr data verify {destination}")


@app.command("verify")
def verify_command(
    destination: Annotated[str, typer.Argument(metavar="DEST", help="The dataset: a folder or s3://bucket/prefix.")],
) -> None:
    """Read a whole dataset again: checksums, rows, and every picture. Exits with 1 if anything is damaged.

    Example: g3dr data verify s3://my-bucket/datasets/birds
    """
    with _progress("verifying shards") as progress:
        problems = verify(open_store(destination), progress)
    if not problems:
        console.print(f"{destination}: every shard is intact")
        console.print("Next: name it in an experiment file, and look at the plan with `g3dr plan FILE`")
        return
    for problem in problems:
        console.print(str(problem), markup=False)
    console.print(f"{destination}: {len(problems)} problems. Next: delete the shards named above and pack the same source again")
    raise typer.Exit(1)


@app.command("procedural")
def procedural_command(
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="Folder that gets one folder a species.")],
    *,
    species: Annotated[str, typer.Option(help="Numbers of the species, separated by commas.")] = "0,1,2,3,4,5",
    individuals: Annotated[int, typer.Option(help="Individuals of each species.")] = 128,
    held_out: Annotated[int, typer.Option(help="How many of them are for testing.")] = 8,
    views: Annotated[int, typer.Option(help="True novel views of each test individual.")] = 4,
    resolution: Annotated[int, typer.Option(help="Side of the pictures, pixels.")] = 32,
    seed: Annotated[int, typer.Option(help="Another seed makes other animals.")] = 0,
) -> None:
    """Write made-up animals with exact depth, in the folder layout that `pack` reads.

    Example: g3dr data procedural results/animals --species 0,1 --individuals 20 --resolution 64
    """
    config = ProceduralConfig(_numbers(species), individuals, held_out, views, resolution, seed=seed)
    with _progress("drawing animals") as progress:
        write_folder(config, destination, progress)
    console.print(f"{destination}: {len(config.species)} species of {individuals} individuals, {resolution} x {resolution} pixels")
    console.print(f"Next: g3dr data pack {destination} DATASET")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in _words(text))
    except ValueError as error:
        raise ConfigError("--species", text, "numbers separated by commas, such as 0,1") from error
