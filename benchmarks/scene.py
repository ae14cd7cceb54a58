"""What the renderer's figures render: planes, a decoder and the rays of one view, all made from a seed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.figures import Result, Setting
from g3dr.cameras import camera_rays, camera_to_world
from g3dr.config import RendererConfig
from g3dr.render import PlaneDecoder, Renderer
from g3dr.types import Rays, Rendering

FEATURES = 64
DECODER_WIDTH = 64
VIEW = (1.8, 1.45)  # yaw and pitch, radians: a view from the side, as in a video


@dataclass(frozen=True)
class Scene:
    """One image's planes and a camera.

    Attributes:
        renderer: Ours.
        decoder: Shared by both sides.
        planes: As the generator emits them, axes batch, plane, channel, height, width.
        rays: One whole picture.
        resolution: Its side, and that of the planes, pixels.
    """

    renderer: Renderer
    decoder: PlaneDecoder
    planes: Tensor
    rays: Rays
    resolution: int


def make_scene(setting: Setting, samples: int) -> Scene:
    """Returns a scene with random planes and weights: 64 features, 128 px, decoder width 64; 16 px and 4 samples if quick.

    Args:
        setting: Device and size.
        samples: Coarse samples per ray, and fine ones.
    """
    generator = torch.Generator().manual_seed(0)
    resolution, count = setting.size(128, 16), setting.size(samples, 4)
    decoder = PlaneDecoder(FEATURES, DECODER_WIDTH)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    planes = torch.randn(1, 3, FEATURES, resolution, resolution, generator=generator)
    rays = camera_rays(camera_to_world(torch.tensor(VIEW[:1]), torch.tensor(VIEW[1:])), resolution)
    config = RendererConfig(layout="published", coarse_samples=count, fine_samples=count)
    return Scene(
        renderer=Renderer(config, resolution).to(setting.device),
        decoder=decoder.to(setting.device),
        planes=planes.to(setting.device),
        rays=Rays(rays.origins.to(setting.device), rays.directions.to(setting.device)),
        resolution=resolution,
    )


def pictures(rendering: Rendering) -> Result:
    """Returns what both sides are compared by."""
    return {"rgb": rendering.rgb, "depth": rendering.depth, "opacity": rendering.opacity}
