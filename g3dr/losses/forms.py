"""The four ways to compare two arrays [G3DR report, section 3.6].

Every form reduces within an image first and over images last, with equal weight per image. So the mean over equal
shards of a batch is the mean of the batch, and data-parallel workers optimise the same loss as one worker.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from g3dr.config import LossForm
from g3dr.errors import DataError

SMOOTH_L1_BETA = 1.0


def _absolute(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).abs().mean(dim=1)


def _squared(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).square().mean(dim=1)


def _smooth_absolute(prediction: Tensor, target: Tensor) -> Tensor:
    return functional.smooth_l1_loss(prediction, target, reduction="none", beta=SMOOTH_L1_BETA).mean(dim=1)


def _cosine_distance(prediction: Tensor, target: Tensor) -> Tensor:
    return 1 - functional.cosine_similarity(prediction, target, dim=1)


_FORMS: dict[LossForm, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": _absolute,
    "l2": _squared,
    "smooth_l1": _smooth_absolute,
    "cosine": _cosine_distance,
}


def compare_per_image(
    form: LossForm, prediction: Float[Tensor, "batch *rest"], target: Float[Tensor, "batch *rest"]
) -> Float[Tensor, "batch"]:
    """Compares two arrays image by image.

    Args:
        form: `l1` mean absolute difference, `l2` mean squared difference, `smooth_l1` the Huber form with beta 1,
            `cosine` one minus the cosine similarity of the flattened arrays: in [0, 2] and blind to scale, so it
            cannot hold an absolute quantity such as depth in place; 1 where either array is all zeros.
        prediction: Any array with the images first.
        target: The array to compare with, of the same shape.

    Returns:
        One value per image, 0 for equal arrays.

    Raises:
        DataError: The shapes differ (they are not broadcast) or an image has no elements.
    """
    if prediction.shape != target.shape:
        raise DataError(f"A loss compares arrays of equal shape, got {tuple(prediction.shape)} and {tuple(target.shape)}.")
    if prediction.numel() == 0:
        raise DataError(f"A loss needs at least one image and one element per image, got shape {tuple(prediction.shape)}.")
    return _FORMS[form](prediction.flatten(start_dim=1), target.flatten(start_dim=1))


def compare(form: LossForm, prediction: Float[Tensor, "batch *rest"], target: Float[Tensor, "batch *rest"]) -> Float[Tensor, ""]:
    """Returns the mean over images of `compare_per_image`."""
    return compare_per_image(form, prediction, target).mean()


@torch.no_grad()
def compare_in_all_forms(
    prediction: Float[Tensor, "batch *rest"], target: Float[Tensor, "batch *rest"]
) -> dict[LossForm, Float[Tensor, ""]]:
    """Returns `compare` in every form, without a gradient: for comparing what was trained with different ones."""
    return {form: compare(form, prediction, target) for form in _FORMS}
