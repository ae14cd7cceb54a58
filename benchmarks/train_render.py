"""Rendering the input view in training, forward and backward, down to the gradients of planes and decoder."""

import torch
from torch import Tensor

from benchmarks.baseline import PublishedRenderer, make_levels
from benchmarks.figures import Comparison, Figure, Result, Setting
from benchmarks.frames import baseline_rays, memory_format_of
from benchmarks.scene import Scene, make_scene, pictures
from g3dr.render import RaySampling
from g3dr.types import Rendering

SAMPLES = 32


def _sampling(scene: Scene) -> RaySampling:
    """Returns chance and depths of a canonical training step."""
    generator = torch.Generator().manual_seed(1)
    config, (batch, rays) = scene.renderer.config, scene.rays.origins.shape[:2]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(batch, rays, *shape, generator=generator).to(scene.planes.device)

    return RaySampling(
        jitter=uniform(config.coarse_samples),
        fine_uniform=uniform(config.fine_samples),
        regularization_depth=4.2 + uniform(),
    )


def _loss(rendering: Rendering) -> Tensor:
    """Something with a different gradient for every pixel."""
    ramp = torch.linspace(0.5, 1.5, rendering.depth.numel(), device=rendering.depth.device).reshape_as(rendering.depth)
    return (rendering.rgb * ramp[..., None]).mean() + (rendering.depth * ramp).mean() + (rendering.opacity * ramp).mean()


def _with_gradients(scene: Scene, rendering: Rendering, planes: Tensor) -> Result:
    wanted = {"planes": planes, **dict(scene.decoder.named_parameters())}
    gradients = torch.autograd.grad(_loss(rendering), list(wanted.values()))
    return {**pictures(rendering), **dict(zip(wanted, gradients, strict=True))}


def _comparison(setting: Setting) -> Comparison:
    scene = make_scene(setting, SAMPLES)
    sampling = _sampling(scene)
    planes = scene.planes.requires_grad_()
    baseline = PublishedRenderer(scene.renderer.config, scene.renderer.layout, scene.decoder)

    def ours() -> Result:
        rendering = scene.renderer(scene.renderer.table(planes, scene.decoder), scene.decoder, scene.rays, sampling)
        return _with_gradients(scene, rendering, planes)

    def reference() -> Result:
        rendering = baseline.in_chunks(
            make_levels(planes, memory_format_of(scene)), scene.rays, sampling, baseline_rays(scene.renderer.config, scene.rays)
        )
        return _with_gradients(scene, rendering, planes)

    return Comparison(ours, reference)


FIGURES = (
    Figure(
        name="train_render_32_32",
        meaning="128 px, 32 + 32 samples, forward and backward with gradient scaling, node table included; against the published renderer",
        build=_comparison,
        memory=True,
    ),
)
