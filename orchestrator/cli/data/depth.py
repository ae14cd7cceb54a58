"""`g3dr data depth`: depth maps for datasets that have none."""

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from g3dr.errors import ConfigError
from orchestrator.cli.data.pack import describe
from orchestrator.cli.progress import progress
from orchestrator.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.shards.tasks import Runner

Engine = Literal["auto", "ray", "local"]
Kind = Literal["disparity", "depth"]
Device = Literal["auto", "cpu", "cuda", "mps"]


def depth_command(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A packed dataset: a folder or s3://bucket/prefix.")],
    destination: Annotated[
        str | None, typer.Argument(metavar="DEST", help="Where the dataset with depth goes: a folder or s3://bucket/prefix.")
    ] = None,
    *,
    estimator: Annotated[
        str,
        typer.Option(
            help="network: the small one that comes with this program; transformers: a depth model; files: maps that you have; "
            "procedural: the truth of procedural animals."
        ),
    ] = "network",
    weights: Annotated[
        str | None,
        typer.Option(help="Of transformers: folder, s3://bucket/prefix, or OWNER/MODEL of the hub. Of network: one of your own trainings."),
    ] = None,
    boost: Annotated[
        bool, typer.Option("--boost", help="Finer edges: merge estimates of several sizes and of parts; takes ten to twenty times as long.")
    ] = False,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of OWNER/MODEL.")] = None,
    kind: Annotated[
        Kind | None, typer.Option(help="What the model gives: relative disparity, or depth in metres. Default: by its architecture.")
    ] = None,
    depth_root: Annotated[str | None, typer.Option(help="For files: the folder or s3:// URI that holds KEY_depth.png.")] = None,
    depth_suffix: Annotated[str, typer.Option(help="For files: what follows the key.")] = "_depth.png",
    in_place: Annotated[bool, typer.Option("--in-place", help="Make a new version of DATASET; the old one stays beside it.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Estimate anew what has a depth map already.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse the first picture that fails instead of leaving it out.")] = False,
    batch_size: Annotated[int, typer.Option(help="Pictures that are estimated together.")] = 8,
    workers: Annotated[int | None, typer.Option(min=1, help="Actors on Ray. Default: one a GPU; without GPUs one with all CPUs.")] = None,
    gpus_per_worker: Annotated[
        float | None, typer.Option(min=0, help="A fraction lets actors share a GPU. Default: 1 where there is one.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where a model computes.")] = "auto",
    engine: Annotated[
        Engine,
        typer.Option(help="ray: actors on the cluster of RAY_ADDRESS or one of this machine; local: this process. auto: ray if wanted."),
    ] = "auto",
) -> None:
    """Add depth maps to the rows that have none; run it again after an interruption to continue.

    Pictures keep every byte. Depth is stored as everywhere here: 16 bits of distance along the ray, stretched over the box.

    Example: g3dr data depth photos photos-depth

    Example: g3dr data depth photos photos-depth --estimator transformers --weights depth-anything/Depth-Anything-V2-Small-hf

    Example: g3dr data depth s3://bucket/birds --in-place --estimator files --depth-root s3://bucket/birds-depth
    """
    from orchestrator.depth.adding import DepthOptions, add_depth  # noqa: PLC0415  (brings pyarrow)
    from orchestrator.depth.recipes import Wishes  # noqa: PLC0415

    place = _destination(dataset, destination, in_place=in_place)
    wishes = Wishes(weights, revision, kind, depth_root, depth_suffix, device, boost)
    with (
        _runner(_chosen(engine, workers, gpus_per_worker), workers, gpus_per_worker) as (runner, gpus),
        progress("depth", "images") as move,
    ):
        options = DepthOptions(overwrite, strict, batch_size, gpus)
        manifest = add_depth(open_store(dataset), open_store(place), estimator, wishes, options=options, runner=runner, progress=move)
    describe(manifest, place)


def _destination(dataset: str, destination: str | None, *, in_place: bool) -> str:
    if in_place:
        if destination is not None:
            raise ConfigError("DEST", destination, "nothing with --in-place, which makes a new version of DATASET")
        return dataset
    if destination is None:
        raise ConfigError("DEST", None, "a folder or s3://bucket/prefix, or --in-place for a new version of DATASET")
    if open_store(destination) == open_store(dataset):
        raise ConfigError("DEST", destination, "another place than DATASET, or --in-place for a new version of it")
    return destination


def _uses_gpu(estimator: str, device: Device) -> bool:
    """Tells whether GPUs would do anything for an estimator on a device."""
    from orchestrator.depth.recipes import RECIPES  # noqa: PLC0415

    return device in {"auto", "cuda"} and estimator in RECIPES and RECIPES[estimator].uses_gpu


def _chosen(engine: Engine, workers: int | None, gpus_per_worker: float | None) -> Engine:
    """Decides between Ray and this process: one worker of this machine needs no cluster around it."""
    from orchestrator.cluster.connection import local_capacity, names_cluster  # noqa: PLC0415

    if engine != "auto":
        return engine
    several_gpus = local_capacity()[1] > 1 and gpus_per_worker != 0
    wanted = names_cluster() or (workers or 1) > 1 or bool(gpus_per_worker) or several_gpus
    return "ray" if wanted else "local"


@contextmanager
def _runner(engine: Engine, workers: int | None, gpus_per_worker: float | None) -> "Iterator[tuple[Runner, float | None]]":
    """Yields who estimates, and the GPUs that each process may use; None for all there are."""
    from orchestrator.cluster.connection import connected  # noqa: PLC0415
    from orchestrator.depth.runners import Pool, run_here  # noqa: PLC0415

    if engine == "local":
        yield run_here, None
        return
    # Ray warns about every actor pool of its own library, in the middle of the progress; its log files are elsewhere.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with connected() as capacity:
        pool = Pool.fitting((capacity.cpus, capacity.gpus), workers, gpus_per_worker)
        yield pool.run, pool.gpus
