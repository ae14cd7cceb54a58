"""The volume renderer [P, section 3.2]: a node table and rays in, colour, depth and opacity out.

A coarse pass spreads samples evenly, a fine pass adds samples where the coarse weights are high (or around a known
depth), and all samples are composited together.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from g3dr.config import RendererConfig
from g3dr.render import compiled
from g3dr.render.along_rays import fine_distances, pixels
from g3dr.render.compositing import Samples
from g3dr.render.decoder import PlaneDecoder, activate
from g3dr.render.decoding import SecondLayer, decode
from g3dr.render.layouts import Layout, Planes, make_layout
from g3dr.render.limits import RayLimits, ray_limits
from g3dr.render.sampling import RaySampling, coarse_distances, even_quantiles, window_distances
from g3dr.render.table import NodeTable, NodeTableBuilder
from g3dr.render.tiles import ordered_rays, ordered_sampling, restored, tile_order
from g3dr.types import Rays, Rendering

AVERAGED_PLANES = 3
INFERENCE_SAMPLES = 2**18  # samples in flight without gradients: few enough for a CPU's caches
GPU_FACTOR = 32  # a GPU needs more at once to be busy
TRAINING_SAMPLES = 2**23  # samples whose intermediate results are kept for the backward pass, about 100 bytes each; more are recomputed


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
        with compiled.alone(table.rows):
            order = tile_order(rays)
            rendering = self._in_parts(table, decoder, ordered_rays(rays, order), ordered_sampling(sampling, order))
            return restored(rendering, order)

    def _in_parts(self, table: NodeTable, decoder: PlaneDecoder, rays: Rays, sampling: RaySampling) -> Rendering:
        chunk, recompute = self._rays_at_once(len(table.rows), table.rows.device)
        total = rays.origins.shape[1]
        if total <= chunk:
            return self._render(table, decoder, rays, sampling)
        run: Callable[..., Rendering] = self._recomputed if recompute else self._render
        starts = range(0, total, chunk)
        return _concatenated([run(table, decoder, _rays_between(rays, s, s + chunk), sampling.of_rays(s, s + chunk)) for s in starts])

    def _rays_at_once(self, batch: int, device: torch.device) -> tuple[int, bool]:
        """Returns the rays per image that may be in flight, and whether more need recomputation in the backward pass."""
        training = torch.is_grad_enabled()
        inference = INFERENCE_SAMPLES * (1 if device.type == "cpu" else GPU_FACTOR)
        samples = batch * (self.config.coarse_samples + self.config.fine_samples)
        return max(1, (TRAINING_SAMPLES if training else inference) // samples), training

    def _recomputed(self, table: NodeTable, decoder: PlaneDecoder, rays: Rays, sampling: RaySampling) -> Rendering:
        rendering: Rendering = checkpoint(self._render, table, decoder, rays, sampling, use_reentrant=False, preserve_rng_state=False)
        return rendering

    def _render(self, table: NodeTable, decoder: PlaneDecoder, rays: Rays, sampling: RaySampling) -> Rendering:
        limits, layers = ray_limits(rays, self.config.ray_range), decoder.last_layers()
        distances = coarse_distances(limits, self.config.coarse_samples, sampling.jitter)
        places = self._places(rays, distances)
        raw = self._found(table, layers, places)
        if self.config.fine_samples:
            fine = self._fine_distances(raw[0], distances, limits, sampling)
            fine_places = self._places(rays, fine)
            raw = torch.cat([raw, self._found(table, layers, fine_places)], dim=-1)
            distances = torch.cat([distances, fine], dim=-1)
            if torch.is_grad_enabled():
                places = torch.cat([places, fine_places], dim=-1)
        if torch.is_grad_enabled():
            raw = decode(table, self.layout, layers, places.flatten(2), known=raw.flatten(2)).reshape_as(raw)
        known, white = sampling.regularization_depth, self.config.white_background
        return pixels(raw, distances, self.config.coarse_samples, limits.hit, known, white_background=white)

    def values_at(
        self, table: NodeTable, decoder: PlaneDecoder, points: Float[Tensor, "batch point 3"]
    ) -> Float[Tensor, "batch point value"]:
        """Returns raw density, colour in [0, 1], then semantics if there are any, at points of the world."""
        raw = decode(table, self.layout, decoder.last_layers(), self.layout.axes(*points.unbind(-1)))
        densities, colors = activate(raw)
        return torch.cat([densities[None], colors]).permute(1, 2, 0)

    def _places(self, rays: Rays, distances: Samples) -> Float[Tensor, "axis batch ray sample"]:
        """Returns the plane coordinates of samples at distances along rays."""
        starts, directions = rays.origins.permute(2, 0, 1)[..., None], rays.directions.permute(2, 0, 1)[..., None]
        return self.layout.axes(*torch.addcmul(starts, directions, distances))

    @torch.no_grad()
    def _found(
        self, table: NodeTable, layers: SecondLayer, places: Float[Tensor, "axis batch ray sample"]
    ) -> Float[Tensor, "value batch ray sample"]:
        """Returns the decoder's output before its last activation; gradients are attached to all samples together."""
        return decode(table, self.layout, layers, places.flatten(2)).reshape(-1, *places.shape[1:])

    def _fine_distances(self, densities: Samples, distances: Samples, limits: RayLimits, sampling: RaySampling) -> Samples:
        count = self.config.fine_samples
        quantiles = sampling.fine_uniform if sampling.fine_uniform is not None else even_quantiles(count, distances)
        fine = fine_distances(densities, distances, limits.hit, quantiles)
        if sampling.window_depth is None or sampling.window_mask is None:
            return fine
        window = window_distances(sampling.window_depth, self.config.importance_window, count)
        return torch.where(sampling.window_mask[:, None, None], window, fine)


def _rays_between(rays: Rays, start: int, stop: int) -> Rays:
    return Rays(rays.origins[:, start:stop], rays.directions[:, start:stop])


def _concatenated(parts: list[Rendering]) -> Rendering:
    rgb: Float[Tensor, "batch ray 3"] = torch.cat([part.rgb for part in parts], dim=1)
    depth, opacity = torch.cat([part.depth for part in parts], dim=1), torch.cat([part.opacity for part in parts], dim=1)
    semantics = [part.semantics for part in parts if part.semantics is not None]
    spread = [part.spread for part in parts if part.spread is not None]
    return Rendering(rgb, depth, opacity, torch.cat(semantics, dim=1) if semantics else None, torch.cat(spread, dim=1) if spread else None)
