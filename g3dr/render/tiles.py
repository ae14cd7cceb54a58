"""The order in which rays are rendered: neighbours together, so that they find each other's table rows in the cache.

Results do not depend on it. Rays of a picture come row by row; square tiles of it share more rows of the table than stripes
do, and random rays share none unless they are sorted.
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from g3dr.render.compositing import Ordered
from g3dr.render.limits import box_limits
from g3dr.render.sampling import RaySampling
from g3dr.types import Rays, Rendering

TILE = 0.1  # world units: 8 pixels of a picture of 128
TILES = 64  # more than lie along any side of the box

RayOrder = Int[Tensor, "batch ray"]


def tile_order(rays: Rays) -> RayOrder:
    """Returns the rays of each image sorted by the tile in which the middle of their way through the box lies."""
    limits = box_limits(rays)
    middle = rays.origins + rays.directions * ((limits.near + limits.far) / 2)[..., None]
    x, y, z = (middle / TILE).round().clamp(-TILES / 2, TILES / 2 - 1).int().unbind(-1)
    return torch.argsort((x * TILES + y) * TILES + z, dim=-1, stable=True)


def ordered_rays(rays: Rays, order: RayOrder) -> Rays:
    """Returns the rays in `order`."""
    index = order[..., None].expand(-1, -1, 3)
    return Rays(rays.origins.gather(1, index), rays.directions.gather(1, index))


def ordered_sampling(sampling: RaySampling, order: RayOrder) -> RaySampling:
    """Returns what belongs to the rays in `order`."""

    def ordered(values: Float[Tensor, "batch ray *sample"] | None) -> Float[Tensor, "batch ray *sample"] | None:
        if values is None:
            return None
        return values.gather(1, order if values.ndim == order.ndim else order[..., None].expand_as(values))

    return replace(
        sampling,
        jitter=ordered(sampling.jitter),
        fine_uniform=ordered(sampling.fine_uniform),
        window_depth=ordered(sampling.window_depth),
        regularization_depth=ordered(sampling.regularization_depth),
    )


def restored(rendering: Rendering, order: RayOrder) -> Rendering:
    """Puts the pixels of rays that were rendered in `order` back where their rays came from."""

    def back(pixels: Float[Tensor, "batch ray _channel"]) -> Float[Tensor, "batch ray _channel"]:
        channels = pixels.movedim(-1, 1)
        placed: Tensor = Ordered.apply(channels, order[:, None].expand_as(channels), True)  # noqa: FBT003 (autograd's call)
        return placed.movedim(1, -1)

    return Rendering(
        rgb=back(rendering.rgb),
        depth=back(rendering.depth[..., None])[..., 0],
        opacity=back(rendering.opacity[..., None])[..., 0],
        semantics=None if rendering.semantics is None else back(rendering.semantics),
        spread=None if rendering.spread is None else back(rendering.spread[..., None])[..., 0],
    )
