"""The loss that does not see scale and shift of a disparity map [Ranftl et al. 2020, section 5, "MiDaS"].

Both maps are brought to median 0 and mean absolute deviation 1 (equations 5 and 6 there), which one wild pixel cannot
move far. Every image counts alike, so that a batch may be divided among workers.
"""

from jaxtyping import Float
from torch import Tensor

from g3dr.errors import DataError

_FLAT = 1e-6


def normalized(disparity: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """Returns each map with median 0 and mean absolute deviation 1; flat maps become zeros."""
    values = disparity.flatten(start_dim=1)
    centred = values - values.median(dim=1, keepdim=True).values
    scale = centred.abs().mean(dim=1, keepdim=True)
    return (centred / scale.clamp(min=_FLAT)).view_as(disparity)


def trimmed_difference(residual: Float[Tensor, "batch 1 height width"], trim: float) -> Float[Tensor, "batch"]:
    """Returns the mean absolute residual of each image over all but its worst pixels.

    Args:
        residual: Difference of two normalised maps.
        trim: Share of the worst pixels; 0 keeps all.
    """
    sizes = residual.abs().flatten(start_dim=1)
    if trim == 0:
        return sizes.mean(dim=1)
    kept = max(1, round((1 - trim) * sizes.shape[1]))
    return sizes.topk(kept, dim=1, largest=False, sorted=False).values.mean(dim=1)


def gradient_difference(residual: Float[Tensor, "batch 1 height width"], scales: int) -> Float[Tensor, "batch"]:
    """Returns the summed absolute gradients of each image's residual over scales: edges of one map that the other lacks.

    Args:
        residual: Difference of two normalised maps.
        scales: How often the residual is looked at, each time at every second row and column of the time before.
    """
    total = residual.new_zeros(len(residual))
    for scale in range(scales):
        coarse = residual[..., :: 2**scale, :: 2**scale]
        total = total + coarse.diff(dim=3).abs().mean(dim=(1, 2, 3)) + coarse.diff(dim=2).abs().mean(dim=(1, 2, 3))
    return total


def ssi_terms(
    estimate: Float[Tensor, "batch 1 height width"],
    truth: Float[Tensor, "batch 1 height width"],
    *,
    gradient_weight: float = 0.5,
    gradient_scales: int = 4,
    trim: float = 0.0,
) -> dict[str, Tensor]:
    """Returns the loss and its two terms, means over the images.

    Args:
        estimate: Disparity up to scale (above 0) and shift.
        truth: Disparity.
        gradient_weight: Weight of `gradient_difference`.
        gradient_scales: See there.
        trim: See `trimmed_difference`.

    Raises:
        DataError: The maps differ in size, or are too small for so many scales.
    """
    if estimate.shape != truth.shape or min(truth.shape[-2:]) <= 2 ** (gradient_scales - 1):
        raise DataError(
            f"disparity maps to compare need equal shapes and more than {2 ** (gradient_scales - 1)} pixels a side, "
            f"got {tuple(estimate.shape)} and {tuple(truth.shape)}"
        )
    residual = normalized(estimate) - normalized(truth)
    data = trimmed_difference(residual, trim).mean()
    gradient = gradient_difference(residual, gradient_scales).mean()
    return {"loss": data + gradient_weight * gradient, "ssi": data, "gradient": gradient}
