"""From RGB in [-1, 1] to what a network expects."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def resized(images: Float[Tensor, "batch 3 height width"], size: int, *, antialias: bool = True) -> Float[Tensor, "batch 3 size size"]:
    """Resizes bilinearly to `size` x `size`, antialiased when shrinking unless asked otherwise; differentiable."""
    if images.shape[-2:] == (size, size):
        return images
    return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=antialias)


def standardized(
    images: Float[Tensor, "batch 3 height width"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Tensor, "batch 3 height width"]:
    """Brings RGB from [-1, 1] to [0, 1], then subtracts the mean and divides by the deviation of each channel."""
    shift = images.new_tensor(mean).view(1, 3, 1, 1)
    scale = images.new_tensor(std).view(1, 3, 1, 1)
    return ((images + 1) / 2 - shift) / scale


def as_bytes(images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    """Returns RGB as integers in 0 to 255 (kept as floats): the picture as it would be saved."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round()


def unit_length(features: Float[Tensor, "batch feature height width"]) -> Float[Tensor, "batch feature height width"]:
    """Scales the feature vector of each position to length 1; zero vectors stay zero, with a finite gradient."""
    return features * torch.rsqrt(features.square().sum(dim=1, keepdim=True) + 1e-8)
