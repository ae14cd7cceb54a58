"""Means over the pixels that a mask keeps."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_mean(
    values: Float[Tensor, "batch channel height width"], mask: Bool[Tensor, "batch 1 height width"] | None
) -> Float[Tensor, "batch"]:
    """Returns the mean over channels and kept pixels of each image, in float64; NaN where no pixel is kept.

    Args:
        values: One value per channel and pixel.
        mask: True where a pixel counts; None keeps all.
    """
    if mask is None:
        return values.double().mean(dim=(1, 2, 3))
    kept = torch.where(mask, values.double(), 0.0).sum(dim=(1, 2, 3))
    return kept / (mask.sum(dim=(1, 2, 3)) * values.shape[1])
