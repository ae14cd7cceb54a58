"""Where a ray enters and leaves the box [-1, 1]^3."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from g3dr.cameras import RADIUS
from g3dr.types import Rays

SMALLEST_COMPONENT = 1e-9  # a ray parallel to a face: keeps 1 / direction finite
MISS_LIMITS = (RADIUS - 1, RADIUS + 1)  # ordinary distances, so that nothing becomes infinite; `hit` mutes those rays


@dataclass(frozen=True)
class RayLimits:
    """The part of each ray that lies in the box.

    Attributes:
        near: Distance of the entry, world units.
        far: Distance of the exit.
        hit: The ray meets the box in front of its origin.
    """

    near: Float[Tensor, "batch ray"]
    far: Float[Tensor, "batch ray"]
    hit: Bool[Tensor, "batch ray"]


def box_limits(rays: Rays) -> RayLimits:
    """Returns the limits of `rays`; rays that miss get ordinary distances and `hit` False."""
    directions = torch.where(rays.directions.abs() < SMALLEST_COMPONENT, SMALLEST_COMPONENT, rays.directions)
    to_low, to_high = (-1 - rays.origins) / directions, (1 - rays.origins) / directions
    near = torch.minimum(to_low, to_high).amax(dim=-1)
    far = torch.maximum(to_low, to_high).amin(dim=-1)
    hit = (near < far) & (far > 0)
    near, far = near.clamp(min=0), far.clamp(min=0)
    return RayLimits(near=torch.where(hit, near, MISS_LIMITS[0]), far=torch.where(hit, far, MISS_LIMITS[1]), hit=hit)
