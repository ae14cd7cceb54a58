"""Front-to-back compositing of samples along rays, at the middles of the intervals between them."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from g3dr.types import Rendering

DEPTH_EPSILON = 0.001
REGULARIZATION_PEAK = 1.25
REGULARIZATION_SPREAD = 0.03
REGULARIZATION_RANGE = (0.05, 1.0)

Intervals = Float[Tensor, "batch ray interval"]
Samples = Float[Tensor, "batch ray _sample"]
Values = Float[Tensor, "batch ray _sample 4"]


class ScaledGradient(torch.autograd.Function):
    """The identity, whose gradient is multiplied by a factor."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: Tensor) -> Tensor:
        """Returns `values`."""
        ctx.save_for_backward(factor)
        return values.view_as(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Multiplies the gradient."""
        (factor,) = ctx.saved_tensors
        return gradient * factor, None


def middles(values: Float[Tensor, "batch ray sample *channel"]) -> Float[Tensor, "batch ray interval *channel"]:
    """Returns the means of neighbouring samples."""
    return (values[:, :, 1:] + values[:, :, :-1]) / 2


def regularization_factor(distances: Intervals, depth: Float[Tensor, "batch ray"]) -> Intervals:
    """Returns how much of a sample's gradient is kept: all of it near the known depth, little far away [P, section 3.2]."""
    difference = distances - depth[..., None]
    return (REGULARIZATION_PEAK * torch.exp(-(difference**2) / REGULARIZATION_SPREAD)).clamp(*REGULARIZATION_RANGE)


def optical_thickness(densities: Samples, distances: Samples, hit: Bool[Tensor, "batch ray"]) -> Intervals:
    """Returns density times length of each interval; zero for rays that miss the box.

    Args:
        densities: Raw density; softplus(mean of neighbours - 1) is what counts.
        distances: Ascending distances along the ray, world units.
        hit: The ray meets the box.
    """
    lengths = distances.diff(dim=-1) * hit[..., None]
    return F.softplus(middles(densities) - 1) * lengths


def compositing_weights(thickness: Intervals) -> Intervals:
    """Returns how much of each interval is seen: its own opacity times what the intervals in front let through."""
    through = torch.exp(thickness - torch.cumsum(thickness, dim=-1))
    return -torch.expm1(-thickness) * through


def composite(
    values: Values,
    distances: Samples,
    hit: Bool[Tensor, "batch ray"],
    regularization_depth: Float[Tensor, "batch ray"] | None = None,
    *,
    white_background: bool = False,
) -> Rendering:
    """Turns samples into pixels.

    Args:
        values: Raw density, then colour in [0, 1].
        distances: Ascending distances along the ray, world units.
        hit: The ray meets the box; others show the background, with depth and opacity 0.
        regularization_depth: Known depth of each ray; samples far from it get smaller gradients.
        white_background: White instead of black behind everything.
    """
    thickness = optical_thickness(values[..., 0], distances, hit)
    colors, positions = middles(values[..., 1:]), middles(distances)
    if regularization_depth is not None:
        factor = regularization_factor(positions, regularization_depth)
        thickness = ScaledGradient.apply(thickness, factor)
        colors = ScaledGradient.apply(colors, factor[..., None])
    weights = compositing_weights(thickness)
    opacity = weights.sum(dim=-1)
    rgb = (weights[..., None] * colors).sum(dim=-2)
    if white_background:
        rgb = rgb + (1 - opacity)[..., None]
    return Rendering(rgb=rgb * 2 - 1, depth=(weights * positions).sum(dim=-1) / (opacity + DEPTH_EPSILON), opacity=opacity)
