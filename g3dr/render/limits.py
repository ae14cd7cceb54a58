"""Where a ray is sampled: from where it enters the box [-1, 1]^3 to where it leaves it, or between fixed distances."""

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
    """The part of each ray that is sampled.

    Attributes:
        near: Distance of the entry, world units.
        far: Distance of the exit.
        hit: The ray is sampled at all; not if it misses the box.
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


def points_in_box(rays: Rays, fractions: Float[Tensor, "batch ray point"]) -> Float[Tensor, "batch ray point 3"]:
    """Returns points of each ray between its entry into the box (fraction 0) and its exit (1), world frame."""
    limits = box_limits(rays)
    distances = torch.lerp(limits.near[..., None], limits.far[..., None], fractions)
    return rays.origins[:, :, None] + rays.directions[:, :, None] * distances[..., None]


def fixed_limits(rays: Rays, near: float, far: float) -> RayLimits:
    """Returns the same limits for all rays, box or no box."""
    shape = rays.origins[..., 0]
    return RayLimits(torch.full_like(shape, near), torch.full_like(shape, far), torch.ones_like(shape, dtype=torch.bool))


def ray_limits(rays: Rays, ray_range: tuple[float, float] | None) -> RayLimits:
    """Returns where rays are sampled: in the box, or in `ray_range` if there is one."""
    return box_limits(rays) if ray_range is None else fixed_limits(rays, *ray_range)
