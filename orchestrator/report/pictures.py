"""Pictures of an evaluation as data URIs: labelled rows of objects, and film strips of turning ones."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from g3dr.export.pictures import depth_picture, encode_picture
from g3dr.export.video import film_strip
from orchestrator.report.depths import DepthOrigin
from orchestrator.report.numbers import title_case
from orchestrator.report.records import Pictures

GIVEN_DEPTH = DepthOrigin().label
_SHEET = (
    ("input", "Input"),
    ("canonical", "Reconstruction"),
    ("novel", "Novel view"),
    ("novel_truth", "True novel view"),
    ("depth", "Depth"),
    ("depth_truth", GIVEN_DEPTH),
    ("parts", "Parts"),
    ("novel_parts", "Parts, novel view"),
)
_LARGEST_SIDE = 64


@dataclass(frozen=True)
class Thumbnail:
    """An embedded picture.

    Attributes:
        source: Data URI.
        description: What is seen, for those who do not see it.
        width: Pixels.
        height: Pixels.
    """

    source: str
    description: str
    width: int
    height: int

    @property
    def small(self) -> bool:
        """Whether the page shows it enlarged."""
        return max(self.width, self.height) <= _LARGEST_SIDE


@dataclass(frozen=True)
class Sheet:
    """Labelled pictures: one row an object.

    Attributes:
        caption: What the sheet shows.
        labels: One a column.
        rows: Name of the object, its pictures.
        near: World depth shown brightest; None without depth.
        far: World depth shown darkest.
    """

    caption: str
    labels: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Thumbnail]]]
    near: float | None = None
    far: float | None = None


@dataclass(frozen=True)
class Film:
    """A turning object as a strip of frames side by side."""

    name: str
    strip: Thumbnail
    frames: int


def thumbnail(picture: np.ndarray, description: str) -> Thumbnail:
    """Embeds a picture."""
    data, media_type = encode_picture(np.ascontiguousarray(picture))
    return Thumbnail(f"data:{media_type};base64,{b64encode(data).decode()}", description, picture.shape[1], picture.shape[0])


def evaluation_sheet(pictures: Pictures, caption: str, most_rows: int = 8, depth_label: str = GIVEN_DEPTH) -> Sheet:
    """Builds the sheet of one evaluation: the columns that it has, in the order input, reconstruction, novel view, truth, depths."""
    labels = {**dict(_SHEET), "depth_truth": depth_label}
    columns = [(label, pictures.arrays[name]) for name, label in labels.items() if name in pictures.arrays]
    return labelled_sheet(caption, pictures.keys, columns, most_rows)


def parts_sheet(pictures: Pictures, caption: str, most_rows: int = 8) -> Sheet | None:
    """Builds the sheet of part pictures beside the input and the reconstruction; None without part pictures."""
    shown = ("input", "canonical", "parts", "novel", "novel_parts")
    labels = dict(_SHEET)
    if "parts" not in pictures.arrays:
        return None
    return labelled_sheet(
        caption, pictures.keys, [(labels[name], pictures.arrays[name]) for name in shown if name in pictures.arrays], most_rows
    )


def recipe_sheet(by_recipe: Mapping[str, Pictures], caption: str, most_rows: int = 3, depth_label: str = GIVEN_DEPTH) -> Sheet | None:
    """Builds a sheet that puts the recipes of one species side by side; None if they do not show the same objects."""
    first = next(iter(by_recipe.values()), None)
    if first is None or any(list(pictures.keys) != list(first.keys) for pictures in by_recipe.values()):
        return None
    return labelled_sheet(caption, first.keys, list(_recipe_columns(by_recipe, first, depth_label)), most_rows)


def _recipe_columns(by_recipe: Mapping[str, Pictures], first: Pictures, depth_label: str) -> Iterator[tuple[str, np.ndarray]]:
    view = "novel" if "novel" in first.arrays else "canonical"
    if "input" in first.arrays:
        yield "Input", first.arrays["input"]
    for name, truth, label in ((view, "novel_truth", "True novel view"), ("depth", "depth_truth", depth_label)):
        what = "depth" if name == "depth" else f"{view} view"
        for recipe, pictures in by_recipe.items():
            if name in pictures.arrays:
                yield f"{title_case(recipe)}: {what}", pictures.arrays[name]
        if truth in first.arrays:
            yield label, first.arrays[truth]


def labelled_sheet(caption: str, keys: Sequence[str], columns: Sequence[tuple[str, np.ndarray]], most_rows: int) -> Sheet:
    """Builds a sheet of labelled columns: RGB pictures as they are, depth maps in colour, all maps on one scale."""
    near, far = _depth_range([array for _, array in columns if array.ndim == 3])
    rows = []
    for index, key in enumerate(keys[:most_rows]):
        shown = [(label, array[index]) for label, array in columns if index < len(array)]
        rows.append((key, [thumbnail(_visible(picture, near, far), f"{label} of {key}") for label, picture in shown]))
    known = any(array.ndim == 3 for _, array in columns)
    return Sheet(caption, [label for label, _ in columns], rows, near if known else None, far if known else None)


def _visible(picture: np.ndarray, near: float, far: float) -> np.ndarray:
    return depth_picture(picture, near, far) if picture.ndim == 2 else picture


def _depth_range(depths: Sequence[np.ndarray]) -> tuple[float, float]:
    # One range for a whole sheet, so that prediction and truth can be compared; rare outliers must not flatten it.
    known = np.concatenate([depth[np.isfinite(depth)].ravel() for depth in depths]) if depths else np.empty(0)
    if known.size == 0:
        return 4.0, 6.0
    near, far = np.quantile(known, [0.01, 0.99]).round(1)
    return (float(near), float(far)) if far - near >= 0.1 else (float(near) - 0.1, float(far) + 0.1)


def films(pictures: Pictures | None) -> list[Film]:
    """Returns the orbits of an evaluation; empty if it has none."""
    if pictures is None or "orbit" not in pictures.arrays:
        return []
    return [_film(key, frames) for key, frames in zip(pictures.keys, pictures.arrays["orbit"], strict=False)]


def _film(key: str, frames: np.ndarray) -> Film:
    strip = film_strip(frames)
    return Film(key, thumbnail(strip, f"{key} seen from a camera that moves around it"), strip.shape[1] // frames.shape[2])


def depth_bar() -> Thumbnail:
    """Returns the colour scale of depth pictures, far on the left."""
    return thumbnail(depth_picture(np.linspace(1, 0, 128)[None].repeat(8, 0), 0.0, 1.0), "colour scale of depth from far to near")
