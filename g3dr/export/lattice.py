"""Where a solid is sampled: a lattice in the part of the box that the input camera saw, or in the whole box.

Lattice axes are (right, up, away) as the input camera sees them, each from -1 to 1. Samples lie in the middles of cells, so
the borders of the region are half a cell outside of the outermost samples.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from g3dr.cameras import FOV_DEGREES, RADIUS

Region = Literal["seen", "box"]

Field = Callable[[Float[Tensor, "point 3"]], Float[Tensor, "point 4"]]
"""Raw density, then colour in [0, 1], at points of the world frame."""

Volume = Float32[np.ndarray, "right up away"]

POINTS_AT_ONCE = 2**17
HALF_PICTURE = math.tan(math.radians(FOV_DEGREES) / 2)  # half of the picture's side, at distance 1


def to_world(positions: Float[Tensor, "*axes 3"], region: Region) -> Float[Tensor, "*axes 3"]:
    """Returns lattice positions in the world frame.

    Args:
        positions: Right, up and away, in [-1, 1].
        region: `seen`: the input camera's field of view between the front and the back of the box; lattice lines that run away
            from the camera are its rays. `box`: the box [-1, 1]^3.
    """
    right, up, away = positions.unbind(-1)
    if region == "seen":
        half = (away + RADIUS) * HALF_PICTURE
        right, up = right * half, up * half
    return torch.stack([away, up, right], dim=-1)


def in_picture(points: Float[Tensor, "*axes 3"]) -> Float[Tensor, "*axes 2"]:
    """Returns where the input camera sees points of the world: (right, down) in [-1, 1] between the centres of border pixels."""
    away, up, right = points.unbind(-1)
    half = (away + RADIUS) * HALF_PICTURE
    return torch.stack([right / half, -up / half], dim=-1)


def values_in_parts(field: Field, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 4"]:
    """Evaluates a field at any number of points, `POINTS_AT_ONCE` at a time."""
    return torch.cat([field(part) for part in torch.split(points, POINTS_AT_ONCE)])


def steps(resolution: int) -> Float[Tensor, "step"]:
    """Returns the lattice positions along one axis."""
    return (torch.arange(resolution) + 0.5) * (2 / resolution) - 1


def sample_density(field: Field, region: Region, resolution: int) -> Volume:
    """Returns the raw density on the lattice; beside the result, memory is that of `POINTS_AT_ONCE` points.

    Args:
        field: What to sample.
        region: Where.
        resolution: Samples along each axis.
    """
    axis = steps(resolution)
    sheets = max(1, POINTS_AT_ONCE // resolution**2)
    parts = []
    for some in torch.split(axis, sheets):
        positions = torch.stack(torch.meshgrid(some, axis, axis, indexing="ij"), dim=-1)
        densities = values_in_parts(field, to_world(positions, region).reshape(-1, 3))[:, 0]
        parts.append(densities.reshape(positions.shape[:3]).cpu().numpy())
    return np.concatenate(parts)
