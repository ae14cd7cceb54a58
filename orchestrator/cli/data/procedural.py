"""`g3dr data procedural`: made-up animals as a folder of pictures."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import consoles
from orchestrator.cli.data.words import numbers
from orchestrator.cli.progress import progress


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
    from g3dr.procedural import ProceduralConfig, write_folder  # noqa: PLC0415  (its renderer takes a while to import)

    config = ProceduralConfig(numbers(species, "--species"), individuals, held_out, views, resolution, seed=seed)
    with progress("drawing", "animals") as move:
        write_folder(config, destination, move)
    console = consoles.console()
    console.print(f"{destination}: {len(config.species)} species of {individuals} individuals, {resolution} x {resolution} pixels")
    console.print(f"Next: g3dr data pack {destination} DATASET")
