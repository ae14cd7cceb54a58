"""How well a disparity map that is known up to scale and shift agrees with the truth, and how well simple answers do.

A photograph of an animal is mostly near below and far above, so a vertical ramp is a strong answer, and no figure of an estimate means
anything without that of the ramp beside it.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.depth.disparity import planar_depth

_CLOSE = 1.05

Maps = Float[Tensor, "batch 1 height width"]


def fitted(estimate: Maps, truth: Maps) -> Maps:
    """Returns each estimate times a factor of at least 0 plus a shift, the best by least squares."""
    values, wanted = estimate.double().flatten(start_dim=1), truth.double().flatten(start_dim=1)
    centred = values - values.mean(dim=1, keepdim=True)
    variance = centred.square().sum(dim=1, keepdim=True)
    middle = wanted.mean(dim=1, keepdim=True)
    # A constant estimate has only rounding noise to be stretched.
    flat = variance <= 1e-12 * values.square().sum(dim=1, keepdim=True)
    factor = torch.where(flat, 0.0, (centred * wanted).sum(dim=1, keepdim=True) / variance.clamp(min=1e-30)).clamp(min=0)
    return (middle + factor * centred).view_as(truth).to(truth.dtype)


def spearman(estimate: Maps, truth: Maps) -> Float[Tensor, "batch"]:
    """Returns Spearman's rank correlation of each pair of maps, -1 to 1; equal values share their mean rank, a constant map gives 0."""
    found = [_correlation(_ranks(one), _ranks(other)) for one, other in zip(estimate, truth, strict=True)]
    return torch.stack(found) if found else truth.new_zeros(0).double()


def _ranks(values: Tensor) -> Float[Tensor, "pixel"]:
    _, inverse, counts = values.flatten().unique(return_inverse=True, return_counts=True)  # type: ignore[no-untyped-call]
    last = counts.cumsum(dim=0).double()
    ranks: Tensor = (last - (counts.double() - 1) / 2)[inverse]
    return ranks


def _correlation(first: Tensor, second: Tensor) -> Float[Tensor, ""]:
    first, second = first - first.mean(), second - second.mean()
    norm = (first @ first * (second @ second)).sqrt()
    return torch.where(norm > 0, (first @ second) / norm.clamp(min=1e-300), 0.0)


def vertical_ramp(like: Maps) -> Maps:
    """Returns the answer "low is near" for each picture."""
    rows = torch.linspace(0, 1, like.shape[2], device=like.device, dtype=like.dtype)
    return rows.view(1, 1, -1, 1).expand_as(like)


def centred_blob(like: Maps) -> Maps:
    """Returns the answer "what is in the middle is near": a Gaussian whose deviation is a quarter of the picture's side."""
    height, width = like.shape[-2:]
    v, u = (torch.linspace(-2, 2, size, device=like.device, dtype=like.dtype) for size in (height, width))
    return torch.exp(-0.5 * (v[:, None].square() + u.square())).expand_as(like)


def figures(estimate: Maps, truth: Maps) -> Mapping[str, Float[Tensor, "batch"]]:
    """Compares maps, each estimate first fitted to its truth.

    Returns:
        `disparity_rmse`, where the box's depth is a disparity of 1; `abs_rel`, mean error of the planar depth in the box as a share of the
        true one; `within_5_percent`, share of pixels whose depth is right up to a factor of 1.05 (the usual 1.25 says nothing in a box
        whose back is 1.46 times as far away as its front); `spearman`, which needs no fit.
    """
    fit = fitted(estimate, truth)
    depth, true_depth = planar_depth(fit).double(), planar_depth(truth).double()
    ratio = torch.maximum(depth / true_depth, true_depth / depth)
    return {
        "disparity_rmse": (fit.double() - truth.double()).square().mean(dim=(1, 2, 3)).sqrt(),
        "abs_rel": ((depth - true_depth).abs() / true_depth).mean(dim=(1, 2, 3)),
        "within_5_percent": (ratio < _CLOSE).double().mean(dim=(1, 2, 3)),
        "spearman": spearman(estimate, truth),
    }


def beside_simple_answers(estimate: Maps, truth: Maps) -> Mapping[str, Float[Tensor, "batch"]]:
    """Returns `figures` of the estimate, and under `<name>_of_mean` and `<name>_of_ramp` those of a constant and of a vertical ramp."""
    found = dict(figures(estimate, truth))
    for label, answer in (("mean", torch.zeros_like(truth)), ("ramp", vertical_ramp(truth))):
        found.update({f"{name}_of_{label}": value for name, value in figures(answer, truth).items()})
    return found
