"""`g3dr reconstruct`: pictures become objects."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from g3dr.errors import CheckpointError
from orchestrator.cli.consoles import console
from orchestrator.cli.devices import device_named
from orchestrator.cli.photograph_inputs import Background, Kind, completion_for, found_photographs
from orchestrator.cli.progress import progress
from orchestrator.store import Store, open_store

if TYPE_CHECKING:
    from g3dr.model import G3DR
    from orchestrator.reconstruction import Failure

DEFAULT_CHECKPOINT = "quickstart/pretrain"


def reconstruct(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Pictures, folders of pictures or patterns; - reads paths from standard input.")
    ],
    *,
    out: Annotated[str, typer.Option("--out", "-o", help="Gets a folder for each picture; a folder or s3://bucket/prefix.")] = "out",
    depth: Annotated[Path | None, typer.Option(help="Depth of one picture, 16-bit PNG; else NAME_depth.png beside each.")] = None,
    estimator: Annotated[
        str | None,
        typer.Option(help="Who estimates depth: network (as without a depth map) or transformers; named, depth maps are not looked for."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Of transformers: folder, s3://bucket/prefix or OWNER/MODEL. Of network: one of your own trainings.")
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="What a model of transformers gives. Default: by its architecture.")] = None,
    boost: Annotated[bool, typer.Option("--boost", help="Estimate with finer edges, from several sizes and parts; takes longer.")] = False,
    mask: Annotated[
        Path | None, typer.Option(help="Bright where the object is: the mesh is cut out; else NAME_mask.png, if there is one.")
    ] = None,
    background: Annotated[
        Background, typer.Option(help="remove: the object alone; where there is no mask, rembg has to find it.")
    ] = "keep",
    checkpoint: Annotated[
        str, typer.Option(help="The model: EXPERIMENT/STAGE, a folder of a run or checkpoint, or a URI.")
    ] = DEFAULT_CHECKPOINT,
    root: Annotated[str, typer.Option(help="Where results are: a folder or s3://bucket/prefix.")] = "results",
    size: Annotated[int | None, typer.Option(help="Side of pictures and video, pixels; may exceed the model's.")] = None,
    upscale: Annotated[int, typer.Option(min=1, max=2, help="2 renders the video at half the size and enlarges its frames.")] = 1,
    upscaler: Annotated[str, typer.Option(help="Who enlarges: bicubic, or a trained network as --checkpoint names one.")] = "bicubic",
    frames: Annotated[int, typer.Option(help="Frames of one round of the video.")] = 24,
    fps: Annotated[float, typer.Option(help="Frames per second.")] = 12.0,
    gif: Annotated[bool, typer.Option("--gif", help="Write the video as a GIF too; the WebP is smaller and has all colours.")] = False,
    solid: Annotated[
        str, typer.Option(help="seen: the mesh is what lies behind the surface that the picture shows; density: all that is dense.")
    ] = "seen",
    thickness: Annotated[float | None, typer.Option(help="How deep a seen mesh is, world units (the box has a side of 2).")] = None,
    resolution: Annotated[int, typer.Option(help="Lattice points of the mesh along each axis.")] = 128,
    tolerance: Annotated[float | None, typer.Option(help="Fewer triangles: how far they may move the surface, such as 0.002.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Turn pictures into meshes (GLB, PLY), turning videos (MP4, WebP) and contact sheets; depth that they lack is estimated.

    Example: g3dr reconstruct photos/ -o out/

    Example: g3dr reconstruct owl.jpg --depth owl_depth.png --mask owl_mask.png
    """
    start = time.monotonic()
    # Imported here, and in this order: torch takes seconds, in which the checkpoint is read; no other verb should wait for either.
    from orchestrator.depth.recipes import Wishes  # noqa: PLC0415

    photographs = found_photographs(images, depth, mask, estimator)
    store = open_store(out)
    store.check()
    opened = open_named(checkpoint, open_store(root))

    from g3dr.export.solid import SolidOptions  # noqa: PLC0415
    from orchestrator.enlarging import enlarger_named  # noqa: PLC0415
    from orchestrator.reconstruction import ReconstructionOptions, Reconstructor, reconstruct_all  # noqa: PLC0415

    solids = SolidOptions(solid=solid, resolution=resolution, thickness=thickness)  # type: ignore[arg-type]  # checked inside
    options = ReconstructionOptions(size=size, frames=frames, fps=fps, gif=gif, solid=solids, tolerance=tolerance, background=background)
    chosen = device_named(device)
    completion = completion_for(photographs, estimator, Wishes(weights, None, kind, device=device, boost=boost, results=root), background)
    enlarger = enlarger_named(upscaler, open_store(root), chosen) if upscale > 1 else None
    model = opened().to(chosen)
    about = {"checkpoint": checkpoint, "root": root, "upscaler": upscaler if upscale > 1 else None}
    with progress("reconstructing", "frames") as advance:
        reconstructor = Reconstructor(model, options, advance, pictures=len(photographs), enlarger=enlarger)
        names, failures = reconstruct_all(reconstructor, photographs, completion, store, about)
    tell(store, names, failures, time.monotonic() - start, gif=gif)


def open_named(name: str, root: Store) -> "Callable[[], G3DR]":
    """Begins to read a model; returns what waits for it.

    Raises:
        CheckpointError: There is none; the sentence says how to get one.
    """
    from orchestrator.checkpoints import open_model  # noqa: PLC0415

    try:
        return open_model(name, root)
    except CheckpointError as error:
        if name != DEFAULT_CHECKPOINT:
            raise
        raise CheckpointError(f"{error}; to get a model run `make quickstart`, or name one with --checkpoint") from error


def _reason(failure: "Failure") -> str:
    """Returns what failed and why; what is said of a file begins with its name already."""
    said, photograph = str(failure.error), failure.photograph
    named = any(said.startswith(f"{file}:") for file in (photograph.picture, photograph.depth, photograph.mask))
    return said if named else f"{photograph.picture}: {said}"


def tell(store: Store, names: Sequence[str], failures: Sequence["Failure"], seconds: float, *, gif: bool) -> None:
    """Prints what was written and what was not; ends with 1 if anything was not, with 2 if that was all there was."""
    out = console()
    for name in names:
        out.print(f"{store.uri}/{name}: {name}.glb, .ply, .mp4, .webp, {'.gif, ' if gif else ''}{name}_sheet.png", markup=False)
    for failure in failures:
        print(f"error: {_reason(failure)}", file=sys.stderr)
    if names:
        done = f"{len(names)} {'object' if len(names) == 1 else 'objects'} in {seconds:.1f} s"
        out.print(f"{done}; next: open {store.uri}/{names[0]}/{names[0]}.glb in a viewer of 3D files, the .mp4 in a browser", markup=False)
    if failures:
        raise typer.Exit(1 if names or len(failures) > 1 else 2)
