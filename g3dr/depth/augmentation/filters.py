"""Blur and resampling with another strength for each picture."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_RADIUS = 7


def blurred(pictures: Float[Tensor, "batch channel height width"], sigma: Float[Tensor, "batch 1 1 1"]) -> Tensor:
    """Blurs with a Gaussian.

    Args:
        pictures: Anything with at least 8 pixels a side.
        sigma: Its deviation for each picture, pixels; up to about 3.
    """
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, device=pictures.device, dtype=pictures.dtype)
    kernels = torch.exp(-0.5 * (offsets / sigma.flatten(start_dim=1).clamp(min=0.05)).square())
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).repeat_interleave(pictures.shape[1], dim=0)
    batch, channels, height, width = pictures.shape
    flat = functional.pad(pictures, (_RADIUS,) * 4, mode="reflect").reshape(1, batch * channels, height + 2 * _RADIUS, -1)
    flat = functional.conv2d(flat, kernels[:, None, :, None], groups=batch * channels)
    flat = functional.conv2d(flat, kernels[:, None, None, :], groups=batch * channels)
    return flat.view(batch, channels, height, width)


def at_places(u: Float[Tensor, "_batch 1 _rows width"], v: Float[Tensor, "_batch 1 height _columns"]) -> Tensor:
    """Returns positions as `resampled` takes them, one for each combination of row and column."""
    return torch.cat([u + torch.zeros_like(v), v + torch.zeros_like(u)], dim=1).permute(0, 2, 3, 1)


def resampled(
    pictures: Float[Tensor, "batch channel height width"], places: Float[Tensor, "batch new_height new_width 2"], mode: str
) -> Tensor:
    """Returns the pictures' values at `places` (u, v), `bilinear` or `nearest`; beyond the border they are mirrored."""
    return functional.grid_sample(pictures, places, mode=mode, padding_mode="reflection", align_corners=False)
