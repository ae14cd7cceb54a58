"""Pictures of a study of boosting: maps beside the truth, their errors, and a close-up of the place with the most edges."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image
from scipy.ndimage import uniform_filter

from g3dr.export.pictures import depth_picture
from orchestrator.report.boosting.records import Example
from orchestrator.report.pictures import Sheet, Thumbnail, thumbnail

VISIBLE_ERROR = 0.25
"""Errors of this size and more are white."""

SIDE = 256
_PART = 4

Map = Float64[np.ndarray, "height width"]
Seen = UInt8[np.ndarray, "height width 3"]


def example_sheet(example: Example) -> Sheet:
    """Returns three rows: maps, errors, close-ups; a column for the picture, one for the truth, one for each variant."""
    labels = ["Picture", "True disparity", *(variant.capitalize() for variant in example.maps)]
    near, far = float(example.truth.max()), float(example.truth.min())
    disparities = [example.truth, *example.maps.values()]
    maps = [example.rgb, *(_colored(values, near, far) for values in disparities)]
    errors = [
        _lit(example.edges),
        _lit(example.near),
        *(_lit(np.abs(values - example.truth) / VISIBLE_ERROR) for values in disparities[1:]),
    ]
    place = busiest_place(example.near)
    close = [picture[place] for picture in maps]
    rows = [("disparity", maps), ("error", errors), ("close-up", close)]
    return Sheet(example.name, labels, [(f"{example.name}, {what}", list(_thumbnails(what, labels, shown))) for what, shown in rows])


def busiest_place(near: np.ndarray) -> tuple[slice, slice]:
    """Returns the square, a quarter of the picture's sides, with the most pixels near edges: chosen by the truth, not by any result."""
    side = min(near.shape) // _PART
    density = uniform_filter(near.astype(np.float64), side, mode="constant")
    half = side // 2
    inside = density[tuple(slice(half, length - side + half + 1) for length in near.shape)]
    top, left = (int(place) for place in np.unravel_index(int(inside.argmax()), inside.shape))
    return slice(top, top + side), slice(left, left + side)


def _thumbnails(what: str, labels: Sequence[str], shown: Sequence[Seen]) -> Iterator[Thumbnail]:
    for label, picture in zip(labels, shown, strict=True):
        yield thumbnail(_reduced(picture), f"{label}, {what}")


def _colored(values: Map, near: float, far: float) -> Seen:
    # Disparity grows towards the camera, where depth shrinks.
    return depth_picture(-values, -near, -far)


def _lit(values: np.ndarray) -> Seen:
    gray = np.round(np.clip(values.astype(np.float64), 0, 1) * 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def _reduced(picture: Seen) -> Seen:
    if max(picture.shape[:2]) <= SIDE:
        return np.ascontiguousarray(picture)
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image)
