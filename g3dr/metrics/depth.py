"""Depth accuracy and flatness. Depth is the distance along the ray in world units; nothing is clamped unless it is said."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from g3dr.errors import DataError
from g3dr.metrics.masks import masked_mean

NEAR, FAR = 4.0, 6.0
FLATNESS_BINS = 64
CONSTANT_VARIANCE = 1e-10


def depth_rmse(
    prediction: Float[Tensor, "batch 1 height width"],
    target: Float[Tensor, "batch 1 height width"],
    mask: Bool[Tensor, "batch 1 height width"] | None = None,
) -> Float[Tensor, "batch"]:
    """Root mean squared error of each depth map, world units (the whole range of input depths is 2).

    Args:
        prediction: Rendered depth.
        target: True depth.
        mask: True where a pixel counts; novel views pass the pixels whose true point lies in the box. None keeps all.

    Returns:
        NaN where no pixel is kept.
    """
    return masked_mean((prediction.double() - target.double()).square(), mask).sqrt()


def _normalized(depth: Tensor) -> Tensor:
    values = depth.double().flatten(start_dim=1)
    centred = values - values.mean(dim=1, keepdim=True)
    variance = centred.square().mean(dim=1, keepdim=True)
    return torch.where(variance > CONSTANT_VARIANCE, centred / variance.clamp(min=CONSTANT_VARIANCE).sqrt(), 0.0)


def depth_l2_normalized(
    prediction: Float[Tensor, "batch 1 height width"], target: Float[Tensor, "batch 1 height width"]
) -> Float[Tensor, "batch"]:
    """Mean squared difference of each pair of depth maps after both are brought to zero mean and unit variance.

    Blind to shift and scale. A constant map (variance up to 1e-10) becomes zeros, so a flat prediction scores 1 against
    any map that is not flat, and 0 against a flat one. Uncorrelated maps score 2, opposite ones 4.
    """
    return (_normalized(prediction) - _normalized(target)).square().mean(dim=1)


def depth_histogram(depth: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch bin"]:
    """Counts the pixels of each depth map in 64 equal bins from 4 to 6, after clamping the depth to that range.

    Args:
        depth: Distance along the ray, world units; not a picture of it.

    Raises:
        DataError: The maps have more than one channel: colours are no depth, and their histogram says nothing about flatness.
    """
    if depth.ndim != 4 or depth.shape[1] != 1:
        raise DataError(f"Depth maps have the shape (batch, 1, height, width), got {tuple(depth.shape)}.")
    clamped = depth.float().clamp(NEAR, FAR).flatten(start_dim=1)
    counts = [torch.histc(row, FLATNESS_BINS, NEAR, FAR) for row in clamped]
    return torch.stack(counts) if counts else clamped.new_zeros(0, FLATNESS_BINS)


def flatness(depth: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch"]:
    """Effective number of occupied depth bins of each map, 1 (flat) to 64 [3DGP, section 4].

    The value is exp(-sum p ln(p + 1e-12)) over the shares p of `depth_histogram`.
    """
    counts = depth_histogram(depth).double()
    shares = counts / counts.sum(dim=1, keepdim=True)
    return torch.exp(-(shares * torch.log(shares + 1e-12)).sum(dim=1))


def non_flatness_score(depth: Float[Tensor, "batch 1 height width"]) -> float:
    """Returns NFS, the mean of `flatness` over images of the frontal view.

    The score of the true depths belongs beside it: more than theirs is not better.
    """
    return float(flatness(depth).mean())
