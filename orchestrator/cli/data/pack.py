"""`g3dr data pack`: anything that holds pictures becomes a dataset of shards."""

import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchestrator.cli import consoles
from orchestrator.cli.data.words import plural, words
from orchestrator.cli.progress import progress
from orchestrator.experiment.folder_config import Crop, DepthNeed, Layout
from orchestrator.store import open_store

if TYPE_CHECKING:
    from orchestrator.shards import Manifest

Engine = Literal["auto", "ray", "threads"]
_SHOWN = 10


def pack_command(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder (class folders, ImageNet, iNaturalist, flat), a tar file or 'shards/*.tar', s3://bucket/prefix, "
            "another dataset, or procedural:individuals=20:resolution=64."
        ),
    ],
    destination: Annotated[str, typer.Argument(metavar="DEST", help="Where the dataset goes: a folder or s3://bucket/prefix.")],
    *,
    resolution: Annotated[int | None, typer.Option(help="Resize to this side, pixels; else the files stay as they are.")] = None,
    crop: Annotated[
        Crop | None, typer.Option(help="Cut a square from the middle, pad to one, or neither. Default: centre with --resolution.")
    ] = None,
    depth: Annotated[DepthNeed | None, typer.Option(help="Whether a picture needs a depth map to be packed. Default: required.")] = None,
    depth_suffix: Annotated[str | None, typer.Option(help="Ending of the depth maps. Default: _depth.png.")] = None,
    depth_root: Annotated[str | None, typer.Option(help="Another tree of the same shape that holds the depth maps.")] = None,
    layout: Annotated[Layout | None, typer.Option(help="How species follow from paths. Default: auto.")] = None,
    labels: Annotated[
        list[str] | None, typer.Option(help="A file that names classes: ImageNet's validation labels, iNaturalist's JSON; may be repeated.")
    ] = None,
    splits: Annotated[str | None, typer.Option(help="Only these of train, val, test; separated by commas.")] = None,
    species: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
    subset: Annotated[float | None, typer.Option(help="Keep this fraction of every species (below 1), or so many.")] = None,
    held_out: Annotated[
        float | None, typer.Option(help="Fraction of every species for the test split. Default: 0.1; of a dataset: as it is.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides which are held out or kept. Default: 0.")] = None,
    source_version: Annotated[str, typer.Option(help="An earlier version of SOURCE, if that is a dataset.")] = "",
    rows_per_shard: Annotated[int, typer.Option(help="Most rows of one file.")] = 1024,
    row_group_rows: Annotated[int, typer.Option(help="Rows that are read together.")] = 16,
    strict: Annotated[bool, typer.Option(help="Refuse the first unusable picture instead of leaving it out.")] = False,
    engine: Annotated[
        Engine, typer.Option(help="ray: tasks on the cluster of RAY_ADDRESS or one of this machine. auto: ray if RAY_ADDRESS is set.")
    ] = "auto",
) -> None:
    """Pack pictures, with depth maps or without, into shards; run it again after an interruption to continue.

    Example: g3dr data pack photos/birds s3://my-bucket/datasets/birds --resolution 128

    Example: g3dr data pack ILSVRC2012_img_train.tar imagenet --depth none --species n01440764,n01443537
    """
    from orchestrator.shards import PackOptions, pack  # noqa: PLC0415  (brings pyarrow)
    from orchestrator.shards.sources.opening import Wishes, open_source  # noqa: PLC0415

    given: dict[str, Any] = {
        "resolution": resolution,
        "crop": crop,
        "depth": depth,
        "depth_suffix": depth_suffix,
        "depth_root": depth_root,
        "layout": layout,
        "labels": tuple(labels) if labels else None,
        "splits": words(splits) if splits is not None else None,
        "species": words(species) if species is not None else None,
        "subset": subset,
        "held_out": held_out,
        "seed": seed,
    }
    wishes = Wishes({name: value for name, value in given.items() if value is not None}, source_version)
    options = PackOptions(rows_per_shard=rows_per_shard, row_group_rows=row_group_rows)
    store = open_store(destination)
    # Pillow warns of every oddity of a file on standard error; what matters is refused with a reason anyway.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    chosen = open_source(source, wishes)
    with _engine(engine), progress("packing", "images") as move:
        manifest = pack(chosen, store, options=options, strict=strict, progress=move)
    describe(manifest, destination)


def _engine(engine: Engine) -> Any:
    """Returns the connection to Ray for the length of the pack, if there is to be one."""
    from orchestrator.cluster.connection import connected, names_cluster  # noqa: PLC0415

    return connected() if engine == "ray" or (engine == "auto" and names_cluster()) else nullcontext()


def describe(manifest: "Manifest", destination: str) -> None:
    """Prints what a dataset holds, what was left out, and what comes next."""
    console = consoles.console()
    rows = f"{manifest.rows('train'):,} training and {manifest.rows('test'):,} test examples of {len(manifest.species()):,} species"
    console.print(f"{destination}: version {manifest.version}, {rows} in {plural(len(manifest.shards), 'shard')}")
    if manifest.quarantine:
        console.print(f"{len(manifest.quarantine):,} left out:")
        for entry in manifest.quarantine[:_SHOWN]:
            console.print(f"  {entry.reason}", markup=False)
        if len(manifest.quarantine) > _SHOWN:
            console.print(f"  and {len(manifest.quarantine) - _SHOWN:,} more, listed by `g3dr data show {destination} --quarantine`")
    if manifest.has_depth:
        console.print(f"Next: g3dr data show {destination} --sheet sheet.png, then g3dr data verify {destination}")
    else:
        console.print(f"Next: some rows have no depth map; g3dr data depth {destination} --in-place estimates them")
