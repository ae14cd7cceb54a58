"""Front-to-back compositing of samples along rays, at the middles of the intervals between them."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from g3dr.types import Rendering

COLORS = 3
DEPTH_EPSILON = 0.001
REGULARIZATION_PEAK = 1.25
REGULARIZATION_SPREAD = 0.03
REGULARIZATION_RANGE = (0.05, 1.0)

Intervals = Float[Tensor, "batch ray interval"]
Samples = Float[Tensor, "batch ray _sample"]
Values = Float[Tensor, "batch ray _sample value"]
Colors = Float[Tensor, "color batch ray sample"]


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


@dataclass(frozen=True)
class SampleValues:
    """What the decoder says at the samples of each ray.

    Attributes:
        densities: Raw density.
        colors: Colour in [0, 1], then semantic channels if there are any.
        order: Which sample comes first on its ray, second, and so on; None if they are in order.
    """

    densities: Samples
    colors: Colors
    order: Int[Tensor, "batch ray sample"] | None = None


class Ordered(torch.autograd.Function):
    """Puts the samples of each ray in order (or back); backward puts gradients back instead of adding."""

    @staticmethod
    def forward(ctx: Any, values: Samples, order: Int[Tensor, "batch ray sample"], back: bool) -> Samples:  # noqa: FBT001 (autograd's call)
        """Gathers by `order`, or scatters to it if `back`."""
        ctx.save_for_backward(order)
        ctx.back = back
        return torch.empty_like(values).scatter_(-1, order, values) if back else values.gather(-1, order)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Samples) -> tuple[Samples, None, None]:
        """Does the opposite."""
        (order,) = ctx.saved_tensors
        gradient = gradient.contiguous()
        return gradient.gather(-1, order) if ctx.back else torch.empty_like(gradient).scatter_(-1, order, gradient), None, None


class WeightedColors(torch.autograd.Function):
    """The sum of colours by their shares, of which each colour's gradient may see another share."""

    @staticmethod
    def forward(ctx: Any, colors: Colors, shares: Samples, gradient_shares: Samples) -> Float[Tensor, "color batch ray"]:
        """Sums over the samples of each ray."""
        ctx.save_for_backward(colors, shares, gradient_shares)
        return torch.einsum("cbrs,brs->cbr", colors, shares)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "color batch ray"]) -> tuple[Colors, Samples, None]:
        """Gives colours the gradient's share, shares the gradient along the colour."""
        colors, _, gradient_shares = ctx.saved_tensors
        return gradient[..., None] * gradient_shares, torch.einsum("cbrs,cbr->brs", colors, gradient), None


def sample_shares(weights: Intervals) -> Samples:
    """Returns how much of each sample is seen: half of the intervals on both of its sides."""
    return (F.pad(weights, (1, 0)) + F.pad(weights, (0, 1))) / 2


def composite_samples(
    samples: SampleValues,
    distances: Samples,
    hit: Bool[Tensor, "batch ray"],
    regularization_depth: Float[Tensor, "batch ray"] | None = None,
    *,
    white_background: bool = False,
) -> Rendering:
    """Turns samples into pixels; only densities are put in order, colours are summed where they are.

    Args:
        samples: Of the decoder, in any order.
        distances: Ascending distances along the ray, world units.
        hit: The ray meets the box; others show the background, with depth and opacity 0.
        regularization_depth: Known depth of each ray; samples far from it get smaller gradients.
        white_background: White instead of black behind everything.
    """
    order, positions = samples.order, middles(distances)
    densities = samples.densities if order is None else Ordered.apply(samples.densities, order, False)  # noqa: FBT003 (autograd's call)
    thickness = optical_thickness(densities, distances, hit)
    factor = None if regularization_depth is None else regularization_factor(positions, regularization_depth)
    if factor is not None:
        thickness = ScaledGradient.apply(thickness, factor)
    weights = compositing_weights(thickness)
    shares, opacity = _shares(weights, order), weights.sum(dim=-1)
    gradient_shares = shares.detach() if factor is None else _shares((weights * factor).detach(), order)
    sums = WeightedColors.apply(samples.colors, shares, gradient_shares).movedim(0, -1)
    depth = (weights * positions).sum(dim=-1) / (opacity + DEPTH_EPSILON)
    return as_rendering(sums, depth, opacity, _spread(weights, positions, depth), white_background=white_background)


def as_rendering(
    sums: Float[Tensor, "batch ray color"],
    depth: Float[Tensor, "batch ray"],
    opacity: Float[Tensor, "batch ray"],
    spread: Float[Tensor, "batch ray"],
    *,
    white_background: bool,
) -> Rendering:
    """Returns pixels: sums of colours in [0, 1] on their background in [-1, 1], semantic channels behind them on their own."""
    rgb = sums[..., :COLORS] + (1 - opacity)[..., None] if white_background else sums[..., :COLORS]
    semantics = sums[..., COLORS:] if sums.shape[-1] > COLORS else None
    return Rendering(rgb=rgb * 2 - 1, depth=depth, opacity=opacity, semantics=semantics, spread=spread)


def _spread(weights: Intervals, positions: Intervals, depth: Float[Tensor, "batch ray"]) -> Float[Tensor, "batch ray"]:
    """Returns the variance of the distances that each ray sees."""
    return (weights * (positions - depth[..., None]).square()).sum(dim=-1) / (weights.sum(dim=-1) + DEPTH_EPSILON)


def _shares(weights: Intervals, order: Int[Tensor, "batch ray sample"] | None) -> Samples:
    """Returns the samples' shares, in the order in which they were evaluated."""
    shares = sample_shares(weights)
    return shares if order is None else Ordered.apply(shares, order, True)  # noqa: FBT003 (autograd's call)


def composite(
    values: Values,
    distances: Samples,
    hit: Bool[Tensor, "batch ray"],
    regularization_depth: Float[Tensor, "batch ray"] | None = None,
    *,
    white_background: bool = False,
) -> Rendering:
    """As `composite_samples`, of samples that are in order.

    Args:
        values: Raw density, colour in [0, 1], then semantic channels if there are any.
        distances: Ascending distances along the ray, world units.
        hit: The ray meets the box.
        regularization_depth: Known depth of each ray.
        white_background: White instead of black behind everything.
    """
    samples = SampleValues(values[..., 0], values[..., 1:].movedim(-1, 0))
    return composite_samples(samples, distances, hit, regularization_depth, white_background=white_background)
