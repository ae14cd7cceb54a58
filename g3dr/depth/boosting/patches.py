"""Which parts of a picture are worth a closer look."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray

OVERLAP = 1 / 3
"""Share of a patch's side that its neighbour covers too."""

BASE_WEIGHT = 0.05
"""Of the map of the whole picture beside its patches': it counts where no patch is, and at their borders."""

_GROWTH = 1.1

Content = TypeVar("Content", bound="NDArray[np.generic]")


@dataclass(frozen=True)
class Patch:
    """A square of a picture, pixels.

    Attributes:
        top: First row.
        left: First column.
        side: Rows and columns.
    """

    top: int
    left: int
    side: int

    def of(self, content: Content) -> Content:
        """Returns this part of a picture or map."""
        part: Content = content[self.top : self.top + self.side, self.left : self.left + self.side]  # type: ignore[assignment]
        return part


def chosen_patches(edges: Bool[np.ndarray, "height width"], side: int) -> list[Patch]:
    """Returns overlapping patches where the picture has at least as many edges as on average; they are larger where it has more.

    As in the paper (section 5.2): a grid of squares; those with less edges than the whole picture are left out, those with more grow
    until they have as many for their size, for the more edges there are, the larger the part that a network can be shown at once.

    Args:
        edges: See `edge_map`.
        side: Of the smallest patches, pixels; at most the picture's shorter side.
    """
    sums, density = _sums(edges), float(edges.mean())
    starts = [Patch(top, left, side) for top in _places(edges.shape[0], side) for left in _places(edges.shape[1], side)]
    kept = [_grown(patch, sums, density) for patch in starts if _density(patch, sums) >= density > 0]
    return list(dict.fromkeys(kept))


def _places(length: int, side: int) -> Iterator[int]:
    """Yields where patches begin, evenly from one end to the other."""
    count = max(1, round((length - side) / (side * (1 - OVERLAP))) + 1) if length > side else 1
    yield from (round(number * (length - side) / max(1, count - 1)) for number in range(count))


def _grown(patch: Patch, sums: Int64[np.ndarray, "_rows _columns"], density: float) -> Patch:
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    while _density(patch, sums) > density and patch.side < min(height, width):
        side = min(int(np.ceil(patch.side * _GROWTH)), height, width)
        more = (side - patch.side) // 2
        patch = Patch(int(np.clip(patch.top - more, 0, height - side)), int(np.clip(patch.left - more, 0, width - side)), side)
    return patch


def _sums(edges: Bool[np.ndarray, "height width"]) -> Int64[np.ndarray, "_rows _columns"]:
    """Returns the number of edge pixels above and to the left of each corner of a pixel."""
    return np.asarray(np.pad(edges.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0))))


def _density(patch: Patch, sums: Int64[np.ndarray, "_rows _columns"]) -> float:
    bottom, right = patch.top + patch.side, patch.left + patch.side
    count = sums[bottom, right] - sums[patch.top, right] - sums[bottom, patch.left] + sums[patch.top, patch.left]
    return float(count / patch.side**2)


class Canvas:
    """A map with patches blended into it.

    Args:
        whole: The map of the whole picture.
    """

    def __init__(self, whole: Float64[np.ndarray, "height width"]) -> None:
        self._total, self._weights = BASE_WEIGHT * whole, np.full_like(whole, BASE_WEIGHT)

    def add(self, patch: Patch, values: Float64[np.ndarray, "side side"]) -> None:
        """Blends a patch in: most of it in its middle, nearly nothing at its border."""
        across = np.sin(np.pi * (np.arange(patch.side) + 0.5) / patch.side) ** 2
        weight = across[:, None] * across
        patch.of(self._total)[:] += weight * values
        patch.of(self._weights)[:] += weight

    def result(self) -> Float64[np.ndarray, "height width"]:
        """Returns the map with all patches."""
        return np.asarray(self._total / self._weights)
