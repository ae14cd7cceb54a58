"""The slow, obvious renderer: the judge of the fast one in tests.

Three planes, three levels, plain grid sampling, the whole decoder at every sample, a running product for the transmittance.
"""

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor

from g3dr.config import RendererConfig
from g3dr.render.compositing import ScaledGradient, middles, regularization_factor
from g3dr.render.decoder import PlaneDecoder
from g3dr.render.layouts import Layout, Planes
from g3dr.render.limits import ray_limits
from g3dr.render.sampling import RaySampling, coarse_distances, even_quantiles, weighted_distances, window_distances
from g3dr.render.table import LEVEL_FACTORS, plane_level
from g3dr.types import Rays, Rendering

Values = Float[Tensor, "batch ray _sample value"]
Distances = Float[Tensor, "batch ray _sample"]


def plane_features(planes: Planes, layout: Layout, points: Float[Tensor, "batch sample 3"]) -> Float[Tensor, "batch sample channel"]:
    """Returns the features at `points`: the mean over the three planes of the sum over the three levels."""
    grids = layout.coordinates(points).transpose(1, 2).flatten(0, 1)[:, None]
    flat = planes.flatten(0, 1)
    levels = [plane_level(flat, factor) for factor in LEVEL_FACTORS]
    sums = [F.grid_sample(level, grids, mode="bilinear", padding_mode="zeros", align_corners=False) for level in levels]
    return torch.stack(sums).sum(dim=0).reshape(*planes.shape[:3], -1).mean(dim=1).transpose(1, 2)


def interval_weights(values: Values, distances: Distances, hit: Tensor) -> tuple[Tensor, Tensor]:
    """Returns opacity of each interval and its share of the pixel, by a running product."""
    lengths = distances[..., 1:] - distances[..., :-1]
    opacity = (1 - torch.exp(-F.softplus(middles(values[..., 0]) - 1) * lengths)) * hit[..., None]
    return opacity, interval_share(opacity)


def interval_share(opacity: Tensor) -> Tensor:
    """Returns opacity times the product of one minus the opacities in front."""
    through = torch.cumprod(1 - opacity, dim=-1)
    return opacity * torch.cat([torch.ones_like(through[..., :1]), through[..., :-1]], dim=-1)


class ReferenceRenderer:
    """Renders like `Renderer`, from planes instead of a node table.

    Args:
        config: How to sample and composite.
        layout: How planes are placed.
        decoder: Features to density and colour.
    """

    def __init__(self, config: RendererConfig, layout: Layout, decoder: PlaneDecoder) -> None:
        self.config, self.layout, self.decoder = config, layout, decoder

    def evaluate(self, planes: Planes, rays: Rays, distances: Distances) -> Values:
        """Returns raw density and colour at distances along rays."""
        points = rays.origins[:, :, None] + rays.directions[:, :, None] * distances[..., None]
        values: Tensor = self.decoder(plane_features(planes, self.layout, points.flatten(1, 2)))
        return values.reshape(*distances.shape, -1)

    def fine_distances(self, values: Values, distances: Distances, hit: Tensor, sampling: RaySampling) -> Distances:
        """Returns where the fine samples lie."""
        count = self.config.fine_samples
        quantiles = even_quantiles(count, distances) if sampling.fine_uniform is None else sampling.fine_uniform
        fine = weighted_distances(distances, interval_weights(values, distances, hit)[1], quantiles)
        if sampling.window_depth is None or sampling.window_mask is None:
            return fine
        window = window_distances(sampling.window_depth, self.config.importance_window, count)
        return torch.where(sampling.window_mask[:, None, None], window, fine)

    def render(self, planes: Planes, rays: Rays, sampling: RaySampling) -> Rendering:
        """Renders all rays at once."""
        limits = ray_limits(rays, self.config.ray_range)
        distances = coarse_distances(limits, self.config.coarse_samples, sampling.jitter)
        if self.config.fine_samples:
            with torch.no_grad():
                coarse = self.evaluate(planes, rays, distances)
                fine = self.fine_distances(coarse, distances, limits.hit, sampling)
            distances = torch.cat([distances, fine], dim=-1).sort(dim=-1).values
        return self.composite(self.evaluate(planes, rays, distances), distances, limits.hit, sampling)

    def composite(self, values: Values, distances: Distances, hit: Tensor, sampling: RaySampling) -> Rendering:
        """Sums colour, depth and opacity over the intervals."""
        opacity, _ = interval_weights(values, distances, hit)
        colors, positions = middles(values[..., 1:]), middles(distances)
        if sampling.regularization_depth is not None:
            factor = regularization_factor(positions, sampling.regularization_depth)
            opacity, colors = ScaledGradient.apply(opacity, factor), ScaledGradient.apply(colors, factor[..., None])
        weights = interval_share(opacity)
        total = weights.sum(dim=-1)
        sums = (weights[..., None] * colors).sum(dim=-2)
        rgb = sums[..., :3] + (1 - total[..., None] if self.config.white_background else 0)
        semantics = None if self.decoder.semantics is None else sums[..., 3:]
        depth = (weights * positions).sum(dim=-1) / (total + 0.001)
        spread = (weights * (positions - depth[..., None]) ** 2).sum(dim=-1) / (total + 0.001)
        return Rendering(rgb * 2 - 1, depth, total, semantics, spread)
