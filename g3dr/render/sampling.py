"""Where along a ray the volume is sampled. Nothing here takes part in differentiation.

Coarse samples are evenly spread and jittered; fine samples follow the coarse compositing weights (inverse CDF,
NeRF, ECCV 2020, section 5.2, in the form of EG3D) or fill a window around a known depth.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Bool, Float
from torch import Tensor

from g3dr.render.limits import RayLimits

WEIGHT_FLOOR = 0.01  # every bin keeps a chance
PROBABILITY_EPSILON = 1e-5
FEWEST_COARSE = 4  # fewer coarse samples leave no inner bin to draw from

# The underscore says that the number of samples may differ between the arguments and the result of one function.
Distances = Float[Tensor, "batch ray _sample"]


@dataclass(frozen=True)
class RaySampling:
    """The chance and the depths that one rendering takes from outside; without any it is deterministic.

    Attributes:
        jitter: Shift of each coarse sample within its bin, U[0, 1); None for no shift.
        fine_uniform: Quantiles of the fine samples, U[0, 1); None for even quantiles.
        window_depth: Distance along the ray around which the fine samples of the images in `window_mask` lie, world units.
        window_mask: The images that use the window instead of the coarse weights.
        regularization_depth: Known depth of each ray; samples far from it get smaller gradients.
    """

    jitter: Float[Tensor, "batch ray coarse"] | None = None
    fine_uniform: Float[Tensor, "batch ray fine"] | None = None
    window_depth: Float[Tensor, "batch ray"] | None = None
    window_mask: Bool[Tensor, "batch"] | None = None
    regularization_depth: Float[Tensor, "batch ray"] | None = None

    def of_rays(self, start: int, stop: int) -> "RaySampling":
        """Returns the part that belongs to the rays `start` to `stop`."""

        def part(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[:, start:stop]

        return RaySampling(
            jitter=part(self.jitter),
            fine_uniform=part(self.fine_uniform),
            window_depth=part(self.window_depth),
            window_mask=self.window_mask,
            regularization_depth=part(self.regularization_depth),
        )


def coarse_distances(limits: RayLimits, count: int, jitter: Float[Tensor, "batch ray coarse"] | None) -> Distances:
    """Returns `count` distances from near to far, each moved by `jitter` of one bin."""
    steps = torch.linspace(0, 1, count, device=limits.near.device)
    fractions = steps if jitter is None else steps + jitter / (count - 1)
    return torch.addcmul(limits.near[..., None], (limits.far - limits.near)[..., None], fractions)


def even_quantiles(count: int, like: Distances) -> Distances:
    """Returns the middles of `count` equal parts of [0, 1] for every ray of `like`."""
    quantiles = (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count
    return quantiles.expand(*like.shape[:2], count)


def _smoothed(weights: Distances) -> Distances:
    """Spreads weights to their neighbours (larger of two, then mean of two) and adds a floor."""
    padded = F.pad(weights, (1, 1), value=0.0)
    larger = torch.maximum(padded[..., 1:], padded[..., :-1])
    return (larger[..., 1:] + larger[..., :-1]) / 2 + WEIGHT_FLOOR


def _cumulative(weights: Distances) -> Distances:
    """Returns the cumulative distribution over the inner bins, starting at 0."""
    inner = _smoothed(weights)[..., 1:-1] + PROBABILITY_EPSILON
    return F.pad(torch.cumsum(inner / inner.sum(dim=-1, keepdim=True), dim=-1), (1, 0))


def weighted_distances(distances: Distances, weights: Distances, quantiles: Distances) -> Distances:
    """Draws distances where the coarse weights are high.

    Args:
        distances: Coarse distances, ascending.
        weights: Compositing weights between neighbouring coarse samples: one fewer than distances.
        quantiles: Where to read the distribution, in [0, 1].
    """
    if distances.shape[-1] < FEWEST_COARSE:
        return torch.lerp(distances[..., :1], distances[..., -1:], quantiles)
    edges = (distances[..., 1:] + distances[..., :-1]) / 2
    cumulative = _cumulative(weights)
    upper = torch.searchsorted(cumulative, quantiles.contiguous(), right=True).clamp(1, cumulative.shape[-1] - 1)
    below, above = cumulative.gather(-1, upper - 1), cumulative.gather(-1, upper)
    width = above - below
    fractions = (quantiles - below) / torch.where(width < PROBABILITY_EPSILON, 1.0, width)
    return torch.lerp(edges.gather(-1, upper - 1), edges.gather(-1, upper), fractions)


def window_distances(depth: Float[Tensor, "batch ray"], half_width: float, count: int) -> Distances:
    """Returns `count` distances spread evenly over depth +- half_width."""
    return depth[..., None] + torch.linspace(-half_width, half_width, count, device=depth.device)
