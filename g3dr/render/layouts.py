"""How planes are placed in the box.

A layout knows three planes as the generator emits them and the plane coordinates of a point on each. Planes that
coincide up to a transposition are merged into one, so that fewer lookups are needed; that is exact, because a lookup is linear.

Plane coordinates are (column, row) in [-1, 1] from border to border of the picture of features, rows downwards.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.cameras import FOV_DEGREES, RADIUS
from g3dr.config import PlaneLayout

NEAREST_DISTANCE = 0.1  # keeps the projection finite for points behind the input camera, which no sample in the box is

Points = Float[Tensor, "*axes 3"]
PlaneCoordinates = Float[Tensor, "*axes _plane 2"]
Planes = Float[Tensor, "batch _plane channel height width"]
Coordinate = Float[Tensor, "*samples"]
AxisCoordinates = Float[Tensor, "_axis *samples"]


class Layout(ABC):
    """A placement of planes in the box [-1, 1]^3.

    Attributes:
        pairs: Which axes of `axes` are column and row of each distinct plane.
    """

    pairs: tuple[tuple[int, int], ...]

    @property
    def planes(self) -> int:
        """Number of distinct planes."""
        return len(self.pairs)

    @abstractmethod
    def coordinates(self, points: Points) -> PlaneCoordinates:
        """Returns where `points` (world frame) fall on each of the three planes as the generator emits them."""

    @abstractmethod
    def axes(self, x: Coordinate, y: Coordinate, z: Coordinate) -> AxisCoordinates:
        """Returns the different coordinates that points (world frame) have on the distinct planes, each once."""

    def merge(self, planes: Planes) -> Planes:
        """Returns the distinct planes; their lookups sum to those of all three."""
        return planes


class PublishedLayout(Layout):
    """The axes of the published checkpoints: (x, y), (x, z) and (z, x), the last being the second transposed."""

    pairs = ((0, 1), (0, 2))

    def coordinates(self, points: Points) -> PlaneCoordinates:
        """See Layout."""
        x, y, z = points.unbind(-1)
        return torch.stack([x, y, x, z, z, x], dim=-1).reshape(*points.shape[:-1], 3, 2)

    def axes(self, x: Coordinate, y: Coordinate, z: Coordinate) -> AxisCoordinates:
        """See Layout."""
        return torch.stack([x, y, z])

    def merge(self, planes: Planes) -> Planes:
        """See Layout."""
        return torch.stack([planes[:, 0], planes[:, 1] + planes[:, 2].transpose(-1, -2)], dim=1)


class ImageAlignedLayout(Layout):
    """The image plane (z to the right, y up, as the input camera sees them), then (x, y) and (x, z)."""

    pairs = ((0, 1), (2, 3), (2, 0))

    def coordinates(self, points: Points) -> PlaneCoordinates:
        """See Layout."""
        x, y, z = points.unbind(-1)
        return torch.stack([z, -y, x, y, x, z], dim=-1).reshape(*points.shape[:-1], 3, 2)

    def axes(self, x: Coordinate, y: Coordinate, z: Coordinate) -> AxisCoordinates:
        """See Layout."""
        return torch.stack([z, -y, x, y])


class PerspectiveLayout(Layout):
    """As image_aligned, but the image plane is looked up by projection through the input camera.

    All points on the ray of an input pixel fetch that pixel's features.

    Args:
        resolution: Side of the planes, pixels. Rays pass through corner pixels at the edge of the field of view,
            while the borders of a feature picture lie half a pixel further out.
    """

    pairs = ((0, 1), (2, 3), (2, 4))

    def __init__(self, resolution: int) -> None:
        self._scale = (resolution - 1) / resolution / math.tan(math.radians(FOV_DEGREES) / 2)

    def coordinates(self, points: Points) -> PlaneCoordinates:
        """See Layout."""
        x, y, z = points.unbind(-1)
        scale = self._scale_at(x)
        return torch.stack([z * scale, -y * scale, x, y, x, z], dim=-1).reshape(*points.shape[:-1], 3, 2)

    def axes(self, x: Coordinate, y: Coordinate, z: Coordinate) -> AxisCoordinates:
        """See Layout."""
        scale = self._scale_at(x)
        return torch.stack([z * scale, -y * scale, x, y, z])

    def _scale_at(self, x: Coordinate) -> Coordinate:
        """Returns plane units per world unit at the depth of `x`."""
        return self._scale / (x + RADIUS).clamp(min=NEAREST_DISTANCE)


def make_layout(name: PlaneLayout, resolution: int) -> Layout:
    """Returns the layout called `name` for planes of side `resolution`."""
    if name == "published":
        return PublishedLayout()
    return ImageAlignedLayout() if name == "image_aligned" else PerspectiveLayout(resolution)
