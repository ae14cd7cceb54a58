"""`g3dr generate`: words become objects."""

import time
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from g3dr.errors import ConfigError
from orchestrator.cli.devices import device_named
from orchestrator.cli.generation_pages import evaluated, published
from orchestrator.cli.generation_parts import DEFAULT_DENOISER, Artist, Bench, Workshop, compared_with, tell, write
from orchestrator.cli.options import WhereRoot
from orchestrator.cli.reconstruct import DEFAULT_CHECKPOINT
from orchestrator.store import open_store

Sampler = Literal["dpm", "ddim"]
JudgeName = Literal["auto", "clip", "likeness"]


def generate(
    *,
    species: Annotated[
        str | None, typer.Option(help="Classes that the model knows, separated by commas, such as fish_01; all for each.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="What is to be seen, for models of texts (--pipeline).")] = None,
    negative: Annotated[str, typer.Option(help="What guidance leads away from, for models of texts.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", help="Objects, of each species.")] = 4,
    candidates: Annotated[int, typer.Option(help="Pictures that are drawn for each object; the best is kept.")] = 1,
    judge: Annotated[
        JudgeName, typer.Option(help="Who keeps the best: CLIP, likeness to --data, or auto: CLIP where it is here.")
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Of the first picture; the others follow.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Steps of the sampler; the model's own if it is not given.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Scale of classifier-free guidance, 1 for none; likewise.")] = None,
    sampler: Annotated[Sampler | None, typer.Option(help="DPM-Solver++ or DDIM; likewise.")] = None,
    batch_size: Annotated[int, typer.Option(help="Pictures that are drawn together.")] = 8,
    denoiser: Annotated[str, typer.Option(help="Our model: EXPERIMENT/STAGE, a folder of a run, or a URI.")] = DEFAULT_DENOISER,
    autoencoder: Annotated[str | None, typer.Option(help="Its autoencoder, likewise; that of its training if it is not given.")] = None,
    pipeline: Annotated[str | None, typer.Option(help="A public model instead: folder, s3://bucket/prefix, or hub name.")] = None,
    data: Annotated[
        str | None, typer.Option(help="A data set with real pictures of the species, for likeness; that of the training if not given.")
    ] = None,
    estimator: Annotated[str | None, typer.Option(help="Who estimates depth: network (shipped) or transformers.")] = None,
    depth_weights: Annotated[str | None, typer.Option(help="Of the estimator: a checkpoint, or a depth model's folder or URI.")] = None,
    checkpoint: Annotated[str, typer.Option(help="The 3D model: EXPERIMENT/STAGE, a folder, or a URI.")] = DEFAULT_CHECKPOINT,
    only_pictures: Annotated[bool, typer.Option("--only-pictures", help="Draw pictures, make no objects.")] = False,
    evaluate: Annotated[str | None, typer.Option(help="Compare the pictures with this packed data set: distances, species, NFS.")] = None,
    out: Annotated[str, typer.Option("--out", "-o", help="Gets a folder for each object; a folder or s3://bucket/prefix.")] = "generated",
    root: WhereRoot = "results",
    size: Annotated[int | None, typer.Option(help="Side of rendered pictures and video, pixels.")] = None,
    frames: Annotated[int, typer.Option(help="Frames of one round of the video.")] = 24,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Draw pictures of a species or a text, estimate their depth, and turn them into meshes, videos and contact sheets.

    Example: g3dr generate --species fish_01 -n 8 --candidates 4 -o fishes/
    """
    start = time.monotonic()
    subject = _subject(species, prompt, pipeline)
    # Imported here: torch takes seconds, for which no other verb should wait.
    from g3dr.diffusion.config import SamplingSettings  # noqa: PLC0415
    from orchestrator.depth.recipes import Wishes  # noqa: PLC0415
    from orchestrator.generating.drawing import DrawingOptions  # noqa: PLC0415
    from orchestrator.generating.measuring import check_comparable  # noqa: PLC0415
    from orchestrator.generating.records import Asked, SetRecord  # noqa: PLC0415

    settings = SamplingSettings(steps=steps, guidance=guidance, sampler=sampler, at_once=batch_size)
    options = DrawingOptions(count=count, candidates=candidates, seed=seed, settings=settings)
    results, store, chosen = open_store(root), open_store(out), str(device_named(device))
    bench, is_text, against = Bench(judge, data, results, chosen), prompt is not None, compared_with(evaluate, results)
    store.check()
    artist = Artist.named(denoiser, autoencoder, pipeline, results, chosen)
    wishes = artist.wishes(subject, negative, is_text=is_text)
    if against is not None:
        check_comparable(against, [wish.subject for wish in wishes], count * len(wishes))
    depth = Wishes(weights=depth_weights, device=chosen, results=root)
    workshop = None if only_pictures else Workshop.open(checkpoint, depth, estimator, size=size, frames=frames)
    drawn = [one for wish in wishes for one in artist.draw(wish, options, bench, is_text=is_text)]
    about = {"model": dict(artist.generator.identity()), "negative": negative, "settings": asdict(artist.settled(settings))}
    written = write(drawn, workshop, store, about)
    record = None if against is None else evaluated(against, drawn, written, root=results, out=store, device=chosen)
    asked = Asked([wish.subject for wish in wishes], is_text, negative, count, candidates, seed)
    published(SetRecord(asked, drawn, written, record), artist.run, root=results, out=store)
    tell(store, written, time.monotonic() - start, has_objects=workshop is not None)


def _subject(species: str | None, prompt: str | None, pipeline: str | None) -> str:
    """Returns what is to be seen.

    Raises:
        ConfigError: Both, or neither, are given, or a text for a model that knows none.
    """
    if (species is None) == (prompt is None):
        raise ConfigError("--species, --prompt", (species, prompt), "one of both")
    if prompt is not None and pipeline is None:
        raise ConfigError("--prompt", prompt, "a model of texts with --pipeline; our own models know species, see --species")
    return species if species is not None else str(prompt)
