"""The parts of bodies: ellipsoids, balls and limbs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import sqrt

import numpy as np
from jaxtyping import Float64, Int64

# Whole numbers are spelled out for the run-time checks of the tests, which tell int from float.
Point = Sequence[float | int]

# What is thinner would fall between the pixels.
_THINNEST = 0.012
# Neighbouring limbs overlap a little, so that joints are closed.
_OVERLAP = 1.12

SIDES = (1, -1)


class Tissue(IntEnum):
    """How a part is coloured."""

    BODY = 0
    MARKED = 1
    DARK = 2
    EYE = 3


@dataclass(frozen=True)
class Traits:
    """Proportions of a species, about 1 each."""

    girth: float
    length: float
    leg: float
    head: float


@dataclass(frozen=True)
class Ellipsoids:
    """A union of ellipsoids.

    Attributes:
        centers: Middles.
        radii: Half axes.
        rotations: Columns are the directions of the half axes.
        tissues: `Tissue` of each.
    """

    centers: Float64[np.ndarray, "part 3"]
    radii: Float64[np.ndarray, "part 3"]
    rotations: Float64[np.ndarray, "part 3 3"]
    tissues: Int64[np.ndarray, "part"]

    def extents(self) -> Float64[np.ndarray, "part 3"]:
        """Returns half the size of every part's axis-aligned bounding box."""
        return np.asarray(np.sqrt(((self.rotations * self.radii[:, None, :]) ** 2).sum(-1)))

    def bounds(self) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
        """Returns the lower and upper corner of the axis-aligned bounding box."""
        extents = self.extents()
        return (self.centers - extents).min(0), (self.centers + extents).max(0)


@dataclass
class Anatomy:
    """Collects the parts of a body that is being built."""

    _centers: list[Point] = field(default_factory=list)
    _radii: list[Point] = field(default_factory=list)
    _rotations: list[np.ndarray] = field(default_factory=list)
    _tissues: list[Tissue] = field(default_factory=list)

    def ellipsoid(self, center: Point, radii: Point, turned: np.ndarray | None = None, tissue: Tissue = Tissue.BODY) -> None:
        """Adds an ellipsoid; `turned` rotates it about its centre."""
        self._centers.append(center)
        self._radii.append(radii)
        self._rotations.append(np.eye(3) if turned is None else turned)
        self._tissues.append(tissue)

    def ball(self, center: Point, radius: float, tissue: Tissue = Tissue.EYE) -> None:
        """Adds a ball, by default an eye."""
        self.ellipsoid(center, (radius, radius, radius), tissue=tissue)

    def limb(self, start: Point, end: Point, radius: float, tissue: Tissue = Tissue.BODY) -> None:
        """Adds an ellipsoid stretched from `start` to `end`."""
        axis = (end[0] - start[0], end[1] - start[1], end[2] - start[2])
        length = sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, (start[2] + end[2]) / 2)
        self.ellipsoid(middle, (length / 2 * _OVERLAP, radius, radius), _frame_along(axis, length), tissue)

    def ellipsoids(self) -> Ellipsoids:
        """Returns what was added."""
        return Ellipsoids(
            centers=np.array(self._centers, dtype=np.float64),
            radii=np.maximum(np.array(self._radii, dtype=np.float64), _THINNEST),
            rotations=np.stack(self._rotations),
            tissues=np.array(self._tissues, dtype=np.int64),
        )


def _frame_along(axis: Point, length: float) -> Float64[np.ndarray, "3 3"]:
    """Returns a rotation whose first column points along `axis`; written out, because np.cross is slow for single vectors."""
    x, y, z = axis[0] / length, axis[1] / length, axis[2] / length
    # The second column is (0, 0, 1) x axis, or (0, 1, 0) x axis where the first would be short.
    second = (-y, x, 0.0) if abs(z) < 0.9 else (z, 0.0, -x)
    norm = sqrt(second[0] ** 2 + second[1] ** 2 + second[2] ** 2)
    a, b, c = second[0] / norm, second[1] / norm, second[2] / norm
    return np.array([[x, a, y * c - z * b], [y, b, z * a - x * c], [z, c, x * b - y * a]])
