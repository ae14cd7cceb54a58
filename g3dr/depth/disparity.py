"""Disparity in torch: what the depth network is trained on; `mapping` has the same in numpy for files."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.depth.mapping import FARTHEST_PLANE, ray_lengths
from g3dr.pictures import DEPTH_NEAR

_SPAN = 1 / DEPTH_NEAR - 1 / FARTHEST_PLANE
INFINITELY_FAR = -1 / FARTHEST_PLANE / _SPAN
"""Disparity of what is infinitely far away, where 0 is the back of the box and 1 its front."""


@lru_cache(maxsize=8)
def _ray_lengths(height: int, width: int) -> Tensor:
    with torch.inference_mode(mode=False):
        return torch.from_numpy(ray_lengths(height, width)).float()


def disparity_of(distances: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """Returns the inverse planar depth: 1 at the front of the box, 0 at its back; the same formula as `mapping.to_disparity`.

    Args:
        distances: Along the ray, world units in [4, 6).
    """
    height, width = distances.shape[-2:]
    return (_ray_lengths(height, width).to(distances.device) / distances - 1 / FARTHEST_PLANE) / _SPAN


def planar_depth(disparity: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """Undoes `disparity_of`, up to the ray's length; what lies outside of the box comes to stand on its front or back.

    Returns:
        Depth along the camera's axis, world units.
    """
    return 1 / (disparity.clamp(0, 1) * _SPAN + 1 / FARTHEST_PLANE)
