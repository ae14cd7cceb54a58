"""The baseline of the renderer: its published form, as fast as stock PyTorch makes it.

Three planes times three levels of grid sampling, the decoder at every sample, a sort of coarse and fine samples, a running
product. The levels are made once per image, coarse values are used again in the final sum (as published), and rays go in
chunks of the size that was fastest; docs/performance.md says what else was tried. `untuned` does without the tuning.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from torch import Tensor

from g3dr.render.layouts import Planes
from g3dr.render.limits import ray_limits
from g3dr.render.reference import Distances, ReferenceRenderer, Values
from g3dr.render.sampling import RaySampling, coarse_distances
from g3dr.render.table import LEVEL_FACTORS, plane_level
from g3dr.types import Rays, Rendering


@dataclass(frozen=True)
class Levels:
    """The planes of one or several images at three resolutions: pictures (image times plane) of features."""

    pictures: tuple[Tensor, ...]
    images: int


def make_levels(planes: Planes, memory_format: torch.memory_format = torch.contiguous_format) -> Levels:
    """Returns planes at full, half and quarter resolution."""
    flat = planes.flatten(0, 1)
    return Levels(tuple(plane_level(flat, factor).contiguous(memory_format=memory_format) for factor in LEVEL_FACTORS), len(planes))


class PublishedRenderer(ReferenceRenderer):
    """Renders like `Renderer`, the published way; the constructor is that of `ReferenceRenderer`."""

    def values(self, levels: Levels, rays: Rays, distances: Distances) -> Values:
        """Returns raw density and colour at distances along rays."""
        points = torch.addcmul(rays.origins[:, :, None], rays.directions[:, :, None], distances[..., None])
        grids = self.layout.coordinates(points.flatten(1, 2)).transpose(1, 2).flatten(0, 1)[:, None]
        total = F.grid_sample(levels.pictures[0], grids, padding_mode="zeros", align_corners=False)
        for picture in levels.pictures[1:]:
            total += F.grid_sample(picture, grids, padding_mode="zeros", align_corners=False)
        features = total.reshape(levels.images, -1, *total.shape[1:])[..., 0, :].mean(dim=1).transpose(1, 2)
        values: Tensor = self.decoder(features)
        return values.reshape(*distances.shape, -1)

    def chunk(self, levels: Callable[[], Levels], rays: Rays, sampling: RaySampling) -> Rendering:
        """Renders a chunk of rays; `levels` is asked for the levels once in each pass."""
        limits = ray_limits(rays, self.config.ray_range)
        distances = coarse_distances(limits, self.config.coarse_samples, sampling.jitter)
        values = self.values(levels(), rays, distances)
        fine = self.fine_distances(values.detach(), distances, limits.hit, sampling)
        everything = torch.cat([values, self.values(levels(), rays, fine)], dim=2)
        distances, order = torch.sort(torch.cat([distances, fine], dim=-1), dim=-1)
        ordered = everything.gather(2, order[..., None].expand_as(everything))
        return self.composite(ordered, distances, limits.hit, sampling)

    def in_chunks(self, levels: Levels, rays: Rays, sampling: RaySampling, size: int) -> Rendering:
        """Renders `size` rays of each image at a time."""
        starts = range(0, rays.origins.shape[1], size)
        parts = [
            self.chunk(lambda: levels, Rays(rays.origins[:, s : s + size], rays.directions[:, s : s + size]), sampling.of_rays(s, s + size))
            for s in starts
        ]
        return Rendering(*(torch.cat([getattr(part, name) for part in parts], dim=1) for name in ("rgb", "depth", "opacity")))

    def untuned(self, planes: Planes, rays: Rays, sampling: RaySampling) -> Rendering:
        """Renders as the published evaluation does: usual memory layout, levels made in each pass, all rays of a frame at once."""
        return self.chunk(lambda: make_levels(planes), rays, sampling)
