"""The volume renderer [P, section 3.2]: a node table and rays in, colour, depth and opacity out.

A coarse pass spreads samples evenly, a fine pass adds samples where the coarse weights are high (or around a known
depth), and all samples are composited together.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from g3dr.config import RendererConfig
from g3dr.render.compositing import Samples, Values, composite, compositing_weights, optical_thickness
from g3dr.render.decoder import PlaneDecoder
from g3dr.render.layouts import Layout, Planes, make_layout
from g3dr.render.limits import RayLimits, box_limits
from g3dr.render.lookup import look_up
from g3dr.render.sampling import RaySampling, coarse_distances, even_quantiles, weighted_distances, window_distances
from g3dr.render.table import NodeTable, NodeTableBuilder
from g3dr.types import Rays, Rendering

AVERAGED_PLANES = 3
INFERENCE_SAMPLES = 2**17  # samples in flight without gradients: enough to fill a GPU, few enough for a CPU's caches
TRAINING_SAMPLES = 2**21  # samples whose intermediate results are kept for the backward pass; more are recomputed


class Reordered(torch.autograd.Function):
    """Samples of each ray in another order; backward applies the inverse order instead of adding."""

    @staticmethod
    def forward(ctx: Any, values: Values, order: Int[Tensor, "batch ray sample"]) -> Values:
        """Returns `values` in `order`."""
        ctx.save_for_backward(order)
        return values.gather(2, order[..., None].expand_as(values))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Values) -> tuple[Values, None]:
        """Puts gradients back."""
        (order,) = ctx.saved_tensors
        return gradient.gather(2, order.argsort(dim=-1)[..., None].expand_as(gradient)), None


class Renderer(nn.Module):
    """Renders rays of tri-planes; has no parameters of its own.

    Args:
        config: How to sample and composite.
        resolution: Side of the planes, pixels.
    """

    def __init__(self, config: RendererConfig, resolution: int) -> None:
        super().__init__()
        self.config = config
        self.layout: Layout = make_layout(config.layout, resolution)
        self.builder = NodeTableBuilder(resolution)

    def table(self, planes: Planes, decoder: PlaneDecoder) -> NodeTable:
        """Builds the node table of the generator's three planes, the decoder's first layer folded in."""
        table: NodeTable = self.builder(self.layout.merge(planes), decoder.first.effective_weight() / AVERAGED_PLANES, decoder.first.bias)
        return table

    def forward(self, table: NodeTable, decoder: PlaneDecoder, rays: Rays, sampling: RaySampling) -> Rendering:
        """Renders any number of rays per image, in parts if memory asks for it.

        Args:
            table: Of `batch` images.
            decoder: The decoder whose first layer the table holds.
            rays: The same number of rays for each image, from one or several views.
            sampling: Chance and known depths; their parts are rendered with the rays they belong to.
        """
        chunk, recompute = self._rays_at_once(len(table.rows))
        total = rays.origins.shape[1]
        if total <= chunk:
            return self._render(table, decoder, rays, sampling)
        run: Callable[..., Rendering] = self._recomputed if recompute else self._render
        starts = range(0, total, chunk)
        return _concatenated([run(table, decoder, _rays_between(rays, s, s + chunk), sampling.of_rays(s, s + chunk)) for s in starts])

    def _rays_at_once(self, batch: int) -> tuple[int, bool]:
        """Returns the rays per image that may be in flight, and whether more need recomputation in the backward pass."""
        training = torch.is_grad_enabled()
        samples = batch * (self.config.coarse_samples + self.config.fine_samples)
        return max(1, (TRAINING_SAMPLES if training else INFERENCE_SAMPLES) // samples), training

    def _recomputed(self, table: NodeTable, decoder: PlaneDecoder, rays: Rays, sampling: RaySampling) -> Rendering:
        rendering: Rendering = checkpoint(self._render, table, decoder, rays, sampling, use_reentrant=False, preserve_rng_state=False)
        return rendering

    def _render(self, table: NodeTable, decoder: PlaneDecoder, rays: Rays, sampling: RaySampling) -> Rendering:
        limits = box_limits(rays)
        distances = coarse_distances(limits, self.config.coarse_samples, sampling.jitter)
        values = self._evaluate(table, decoder, rays, distances)
        if self.config.fine_samples:
            fine = self._fine_distances(values.detach(), distances, limits, sampling)
            fine_values = self._evaluate(table, decoder, rays, fine)
            distances, order = torch.sort(torch.cat([distances, fine], dim=-1), dim=-1, stable=True)
            values = Reordered.apply(torch.cat([values, fine_values], dim=2), order)
        white = self.config.white_background
        return composite(values, distances, limits.hit, sampling.regularization_depth, white_background=white)

    def _evaluate(self, table: NodeTable, decoder: PlaneDecoder, rays: Rays, distances: Samples) -> Values:
        """Returns raw density and colour at distances along rays."""
        points = torch.addcmul(rays.origins[:, :, None], rays.directions[:, :, None], distances[..., None])
        coordinates = self.layout.distinct_coordinates(points.flatten(1, 2))
        return decoder.finish(look_up(table, coordinates)).reshape(*distances.shape, -1)

    def _fine_distances(self, values: Values, distances: Samples, limits: RayLimits, sampling: RaySampling) -> Samples:
        count = self.config.fine_samples
        quantiles = sampling.fine_uniform if sampling.fine_uniform is not None else even_quantiles(count, distances)
        weights = compositing_weights(optical_thickness(values[..., 0], distances, limits.hit))
        fine = weighted_distances(distances, weights, quantiles)
        if sampling.window_depth is None or sampling.window_mask is None:
            return fine
        window = window_distances(sampling.window_depth, self.config.importance_window, count)
        return torch.where(sampling.window_mask[:, None, None], window, fine)


def _rays_between(rays: Rays, start: int, stop: int) -> Rays:
    return Rays(rays.origins[:, start:stop], rays.directions[:, start:stop])


def _concatenated(parts: list[Rendering]) -> Rendering:
    rgb: Float[Tensor, "batch ray 3"] = torch.cat([part.rgb for part in parts], dim=1)
    return Rendering(rgb, torch.cat([part.depth for part in parts], dim=1), torch.cat([part.opacity for part in parts], dim=1))
