"""One picture of one object, without gradients: a frame of a video."""

import functools

import torch

from benchmarks.baseline import PublishedRenderer, make_levels
from benchmarks.figures import Comparison, Figure, Result, Setting
from benchmarks.scene import Scene, make_scene, pictures
from g3dr.config import RendererConfig
from g3dr.render import RaySampling
from g3dr.types import Rays

BASELINE_SAMPLES = 2**15  # samples at once of the baseline: the fastest of those tried
BASELINE_GPU_SAMPLES = 2**21


def _comparison(setting: Setting, samples: int, *, cached: bool) -> Comparison:
    """Compares a frame; with `cached` both sides start from what all frames of an object share (node table, levels)."""
    scene = make_scene(setting, samples)
    baseline = PublishedRenderer(scene.renderer.config, scene.renderer.layout, scene.decoder)
    with torch.inference_mode():
        table = scene.renderer.table(scene.planes, scene.decoder)
        levels = make_levels(scene.planes, memory_format_of(scene))

    @torch.inference_mode()
    def ours() -> Result:
        shared = table if cached else scene.renderer.table(scene.planes, scene.decoder)
        return pictures(scene.renderer(shared, scene.decoder, scene.rays, RaySampling()))

    @torch.inference_mode()
    def reference() -> Result:
        shared = levels if cached else make_levels(scene.planes, memory_format_of(scene))
        return pictures(baseline.in_chunks(shared, scene.rays, RaySampling(), baseline_rays(scene.renderer.config, scene.rays)))

    return Comparison(ours, reference)


def _untuned_comparison(setting: Setting, samples: int) -> Comparison:
    """Compares a whole frame, from the planes, with the published form as it is run: see `PublishedRenderer.untuned`."""
    scene, ours = make_scene(setting, samples), _comparison(setting, samples, cached=False).ours
    baseline = PublishedRenderer(scene.renderer.config, scene.renderer.layout, scene.decoder)

    @torch.inference_mode()
    def reference() -> Result:
        return pictures(baseline.untuned(scene.planes, scene.rays, RaySampling()))

    return Comparison(ours, reference)


def baseline_rays(config: RendererConfig, rays: Rays) -> int:
    """Returns how many rays of each image the baseline renders at once."""
    samples = BASELINE_GPU_SAMPLES if rays.origins.is_cuda else BASELINE_SAMPLES
    return max(1, samples // (config.coarse_samples + config.fine_samples) // len(rays.origins))


def memory_format_of(scene: Scene) -> torch.memory_format:
    """Returns the layout in which the baseline's planes are sampled fastest: on a CPU, channels of a pixel side by side."""
    return torch.contiguous_format if scene.planes.is_cuda else torch.channels_last


def _figure(samples: int, *, cached: bool) -> Figure:
    name = f"frame_{samples}_{samples}" + ("" if cached else "_with_table")
    start = "from the cached node table" if cached else "from the planes, the node table built anew"
    return Figure(
        name=name,
        meaning=f"128 px, {samples} + {samples} samples, 64 features, planes of 128 px, {start}; against the published renderer",
        build=functools.partial(_comparison, samples=samples, cached=cached),
        memory=True,
    )


def _untuned_figure(samples: int) -> Figure:
    return Figure(
        name=f"frame_{samples}_{samples}_published",
        meaning=f"as frame_{samples}_{samples}_with_table, against the published renderer without tuning: all rays at once, usual layout",
        build=functools.partial(_untuned_comparison, samples=samples),
        memory=True,
    )


FIGURES = (*(_figure(samples, cached=cached) for samples in (64, 32) for cached in (True, False)), _untuned_figure(64), _untuned_figure(32))
