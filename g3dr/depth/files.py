"""Depth maps that somebody else has made, read from files that are named by the pictures' keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from g3dr.depth.estimator import Measure, Picture
from g3dr.errors import DataError
from g3dr.pictures import decode_depth


@dataclass(frozen=True)
class FileEstimator:
    """Reads `<key><suffix>`, 16-bit gray PNGs in this project's encoding.

    Attributes:
        read: Returns the bytes of the file at a path relative to the folder; raises FileNotFoundError where there is none.
        fingerprint: Names the state of the folder, so that changed files make another dataset.
        suffix: What follows the key in the name of a file, such as `_depth.png`.
        top: What the keys begin with and the names of the files do not.
    """

    read: Callable[[str], bytes]
    fingerprint: str
    suffix: str = "_depth.png"
    top: str = ""

    @property
    def measure(self) -> Measure:
        """See `DepthEstimator`."""
        return Measure("distance", is_scaled=True)

    def identity(self) -> Mapping[str, Any]:
        """See `DepthEstimator`."""
        return {"name": "files", "files": self.fingerprint, "suffix": self.suffix}

    def estimate(self, pictures: Sequence[Picture]) -> list[Float[np.ndarray, "_height _width"]]:
        """See `DepthEstimator`."""
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Picture) -> Float[np.ndarray, "height width"]:
        name = picture.key.removeprefix(self.top) + self.suffix
        try:
            depth = decode_depth(self.read(name))
        except FileNotFoundError as error:
            raise DataError(f"no depth map {name}") from error
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        height, width = picture.rgb.shape[:2]
        try:
            return aligned(depth, height, width)
        except DataError as error:
            raise DataError(f"{name}: {error}") from error


def aligned(depth: Float[np.ndarray, "_height _width"], height: int, width: int) -> Float[np.ndarray, "height width"]:
    """Brings a depth map to the size of its picture, pixel over pixel.

    A map of the picture's proportions is resized; one of other proportions is that of the whole photograph whose middle square the
    picture is. Each pixel takes the value under its middle: a mean over an edge would be a surface that nothing has.

    Raises:
        DataError: Other proportions, and the picture is not square.
    """
    rows, columns = depth.shape
    if (rows, columns) == (height, width):
        return depth
    if not _same_proportions(depth.shape, (height, width)):
        if height != width:
            raise DataError(f"the depth map is {columns} x {rows}, its picture {width} x {height}: the proportions differ")
        side = min(rows, columns)
        top, left = (rows - side) // 2, (columns - side) // 2
        depth = depth[top : top + side, left : left + side]
    down, across = (((np.arange(new) + 0.5) * old / new).astype(np.int64) for new, old in zip((height, width), depth.shape, strict=True))
    return np.asarray(depth[down[:, None], across])


def _same_proportions(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tells whether one is the other in another size, up to the rounding of a pixel of either."""
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other) / 2
