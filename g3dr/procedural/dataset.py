"""Datasets of procedural species: which examples there are, one example, a folder of them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from g3dr.errors import DataError
from g3dr.examples import EncodedView, RgbdExample
from g3dr.pictures import decode_depth, decode_image, decode_masks, encode_depth, encode_image, encode_masks, to_bytes
from g3dr.procedural.camera import FRONTAL, look_from
from g3dr.procedural.config import ExampleId, ProceduralConfig
from g3dr.procedural.individuals import Individual, make_individual
from g3dr.procedural.rendering import render, render_novel
from g3dr.procedural.species import make_species, species_name


def examples(config: ProceduralConfig) -> list[ExampleId]:
    """Lists the examples: species in the given order, individuals ascending; the last `held_out` of each are the test split."""
    first_held_out = config.individuals - config.held_out
    return [
        ExampleId(species, individual, "test" if individual >= first_held_out else "train")
        for species in config.species
        for individual in range(config.individuals)
    ]


def make_example(config: ProceduralConfig, example_id: ExampleId) -> RgbdExample:
    """Draws one example; depends on nothing but its arguments, so any process may make it at any time.

    Returns:
        The example; those of the test split have `config.views` novel views.
    """
    individual = make_individual(make_species(example_id.species, config.seed), example_id.individual, config.seed)
    picture = render(individual, look_from(), config.resolution, supersampling=config.supersampling, shadows=config.shadows)
    name = species_name(example_id.species, config.seed)
    return RgbdExample(
        key=f"{name}/{example_id.individual:04d}",
        species=name,
        split=example_id.split,
        image=encode_image(to_bytes(picture.rgb)),
        depth=encode_depth(picture.depth),
        views=_views(config, individual) if example_id.split == "test" else (),
    )


def write_folder(config: ProceduralConfig, folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Writes the class-folder layout: `<species>/0007.png` with `0007_depth.png`, and `0007_views.npz` where there are novel views.

    The `.npz` holds arrays over views: yaw, pitch, rgb (0 to 255), depth, foreground, in_box, covisible.

    Args:
        config: What to draw.
        folder: Is made if it is missing; files of the same name are replaced.
        progress: Called with the examples done and all examples, after each.

    Raises:
        DataError: The folder cannot be made or written.
    """
    todo = examples(config)
    for done, example_id in enumerate(todo, start=1):
        try:
            _write(make_example(config, example_id), folder)
        except OSError as error:
            raise DataError(f"{folder}: cannot be written ({error.strerror or error})") from error
        if progress is not None:
            progress(done, len(todo))


def view_rig(config: ProceduralConfig) -> list[tuple[float, float]]:
    """Returns yaw and pitch of the true views, radians: the same for every individual.

    They lie on the border of +-view_yaw and +-view_pitch, evenly by angle from the first corner on, so that four are the
    corners. Views near the input say little: showing the input image unchanged is nearly right there.
    """
    turns = np.pi / 4 + 2 * np.pi * np.arange(config.views) / max(1, config.views)
    across, up = np.cos(turns), np.sin(turns)
    reach = np.maximum(np.abs(across), np.abs(up))
    return [
        (float(FRONTAL + config.view_yaw * x), float(FRONTAL + config.view_pitch * y))
        for x, y in zip(across / reach, up / reach, strict=True)
    ]


def _views(config: ProceduralConfig, individual: Individual) -> tuple[EncodedView, ...]:
    return tuple(_view(config, individual, yaw, pitch) for yaw, pitch in view_rig(config))


def _view(config: ProceduralConfig, individual: Individual, yaw: float, pitch: float) -> EncodedView:
    view = render_novel(individual, yaw, pitch, config.resolution, supersampling=config.supersampling, shadows=config.shadows)
    return EncodedView(
        yaw=yaw,
        pitch=pitch,
        image=encode_image(to_bytes(view.picture.rgb)),
        depth=encode_depth(view.picture.depth),
        masks=encode_masks(view.picture.foreground, view.in_box, view.covisible),
    )


def _write(example: RgbdExample, folder: Path) -> None:
    species = folder / example.species
    species.mkdir(parents=True, exist_ok=True)
    name = example.key.rpartition("/")[2]
    (species / f"{name}.png").write_bytes(example.image)
    if example.depth is not None:
        (species / f"{name}_depth.png").write_bytes(example.depth)
    if example.views:
        (species / f"{name}_views.npz").write_bytes(_views_file(example.views))


def _views_file(views: tuple[EncodedView, ...]) -> bytes:
    masks = np.array([decode_masks(view.masks) for view in views])
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        yaw=np.array([view.yaw for view in views]),
        pitch=np.array([view.pitch for view in views]),
        rgb=np.stack([decode_image(view.image) for view in views]),
        depth=np.stack([decode_depth(view.depth) for view in views]),
        foreground=masks[:, 0],
        in_box=masks[:, 1],
        covisible=masks[:, 2],
    )
    return buffer.getvalue()
