"""Compiles the loops before anybody waits for them: `python -m g3dr.render.precompiling`, which `make setup` runs.

Processes that render for the first time at the same moment compile them all, each for itself.
"""

import torch

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.config import RendererConfig
from g3dr.render.decoder import PlaneDecoder
from g3dr.render.renderer import AVERAGED_PLANES, Renderer
from g3dr.render.sampling import RaySampling

SIDE, PICTURE, CHANNELS = 16, 4, 8


def compile_loops() -> None:
    """Renders a few rays and goes the way back; the compiled loops stay beside their source for every process that comes later."""
    config = RendererConfig(decoder_width=16, coarse_samples=6, fine_samples=6)
    renderer, decoder = Renderer(config, SIDE), PlaneDecoder(CHANNELS, config.decoder_width)
    table = renderer.table(torch.zeros(1, AVERAGED_PLANES, CHANNELS, SIDE, SIDE), decoder)
    rendering = renderer(table, decoder, camera_rays(camera_to_world(*frontal_pose(1)), PICTURE), RaySampling())
    (rendering.rgb.sum() + rendering.depth.sum()).backward()


if __name__ == "__main__":
    compile_loops()
