"""The upscaler: a bicubic picture, and what a small network adds to it.

Residual blocks without norms at the small size [Lim et al., Enhanced Deep Residual Networks for Single Image Super-Resolution, 2017],
and a rearrangement of channels to pixels at the end [Shi et al., Real-Time Single Image and Video Super-Resolution Using an
Efficient Sub-Pixel Convolutional Neural Network, 2016].
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from g3dr.upscaling.config import FACTOR, UpscalerConfig


def halved(pictures: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 small_height small_width"]:
    """Returns pictures at half their size; each pixel is the mean of the four under it."""
    return functional.avg_pool2d(pictures, FACTOR)


def bicubic(pictures: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 large_height large_width"]:
    """Returns pictures at twice their size by cubic interpolation; four pixels lie around the middle of each old one."""
    return functional.interpolate(pictures, scale_factor=FACTOR, mode="bicubic", align_corners=False)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, features: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel height width"]:
        added: Tensor = self.second(functional.relu(self.first(features)))
        return features + added


class Upscaler(nn.Module):
    """Doubles the sides of pictures of any size, colours in [-1, 1]; with fresh weights it is bicubic.

    Args:
        config: Its size.
    """

    def __init__(self, config: UpscalerConfig) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, config.width, 3, padding=1)
        self.blocks = nn.Sequential(*(_Block(config.width) for _ in range(config.blocks)))
        self.leave = nn.Conv2d(config.width, 3 * FACTOR**2, 3, padding=1)

    def initialize(self, generator: torch.Generator) -> None:
        """Draws new weights [He et al., 2015]; the last layer and each block's begin with nothing to add."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # every layer has one
        for block in self.blocks:
            nn.init.zeros_(block.second.weight)  # type: ignore[union-attr, arg-type]
        nn.init.zeros_(self.leave.weight)

    def forward(self, pictures: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 large_height large_width"]:
        """Returns pictures at twice their size."""
        features: Tensor = self.blocks(self.enter(pictures))
        return bicubic(pictures) + functional.pixel_shuffle(self.leave(features), FACTOR)
