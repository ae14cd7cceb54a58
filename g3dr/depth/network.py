"""The small depth network: ImageNet features in, one map of relative disparity out, from coarse to fine."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from g3dr.depth.config import DepthNetworkConfig
from g3dr.depth.encoder import CHANNELS, Encoder

_GROUPS = 8


class Refinement(nn.Module):
    """Looks around each position (5 x 5, channel by channel), mixes channels, and adds what it found.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm = nn.GroupNorm(_GROUPS, width)
        self.mix = nn.Sequential(nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1))

    def forward(self, hidden: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel height width"]:
        """Returns the features with what was added."""
        added: Tensor = self.mix(self.norm(self.around(hidden)))
        return hidden + added


class Decoder(nn.Module):
    """From the coarsest stage to the finest: enlarge twofold, add the stage's own features, refine.

    Args:
        width: Channels of every level but the finest, which has half as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width // 2, *(width for _ in CHANNELS[1:])]
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, own, 1), nn.GroupNorm(_GROUPS, own)) for channels, own in zip(CHANNELS, widths, strict=True)
        )
        self.refine = nn.ModuleList(Refinement(own) for own in widths)
        self.narrow = nn.Conv2d(width, width // 2, 1)
        self.last = nn.Sequential(nn.GroupNorm(_GROUPS, width // 2), nn.Conv2d(width // 2, width // 2, 3, padding=1), nn.GELU())
        self.disparity = nn.Conv2d(width // 2, 1, 1)

    def forward(self, stages: list[Float[Tensor, "batch _channel _height _width"]]) -> Float[Tensor, "batch 1 height width"]:
        """Returns a map of the size of the finest stage.

        Args:
            stages: The encoder's outputs, the finest first.
        """
        finest, *coarser = zip(self.lateral, self.refine, stages, strict=True)
        hidden: Tensor | None = None
        for lateral, refine, stage in reversed(coarser):
            own = lateral(stage)
            hidden = refine(own if hidden is None else own + _twice(hidden))
        lateral, refine, stage = finest
        # Half the channels where there are most positions: that level alone would take more than half of the time.
        hidden = refine(lateral(stage) + _twice(self.narrow(hidden)))
        found: Tensor = self.disparity(self.last(hidden))
        return found


class DepthNetwork(nn.Module):
    """Estimates disparity up to scale and shift: larger is nearer.

    Args:
        config: What it is.
    """

    def __init__(self, config: DepthNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.frozen_stages)
        self.decoder = Decoder(config.width).to(memory_format=torch.channels_last)

    def initialize(self, seed: int) -> None:
        """Takes the encoder's ImageNet weights and draws those of the decoder.

        Raises:
            WeightsMissingError: The ImageNet weights are nowhere.
        """
        self.encoder.load_imagenet()
        generator = torch.Generator().manual_seed(seed)
        for module in self.decoder.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.GroupNorm):
                module.reset_parameters()

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1 height width"]:
        """Returns one map of each picture's size.

        Args:
            images: RGB in [-1, 1]; sides divisible by 32.
        """
        return self.decoded(self.encoder(images))

    def decoded(self, stages: Sequence[Float[Tensor, "batch _channel _height _width"]]) -> Float[Tensor, "batch 1 height width"]:
        """Returns the maps of pictures of which the encoder made `stages`."""
        return _twice(self.decoder(list(stages))).contiguous()


def _twice(hidden: Tensor) -> Tensor:
    return functional.interpolate(hidden, scale_factor=2, mode="bilinear", align_corners=False)
