"""The U-Net from RGB-D to tri-planes [P, section 3.1].

Widths: the first convolution gives `width` channels; level i ends with width * multipliers[i]; resolution halves between levels.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise, zip_longest

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from g3dr.config import GeneratorConfig
from g3dr.types import Guidance
from g3dr.unet import winograd
from g3dr.unet.attention import full_attention, linear_attention
from g3dr.unet.blocks import Embedding, ResidualBlock, SinusoidalEmbedding
from g3dr.unet.constants import Constants, forget_constants
from g3dr.unet.convolutions import (
    Convolution,
    Downsampling,
    Features,
    PointwiseConvolution,
    Upsampling,
    added,
    has_tiles,
    is_wide_and_exact,
)
from g3dr.unet.filtering import WIDE_FILTERS
from g3dr.unet.position import initial_position_map

INPUT_CHANNELS = 4
PLANES = 3
FEWEST_WIDE_TILES = 64  # below, transforming the 7x7 filters costs more than it saves
CONSTANT_TIME = 1.0  # what is left of the diffusion U-Net from which the network descends


def _parts(level: nn.Module) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
    """Returns the two residual blocks, the attention and the resizing convolution of a level."""
    block1, block2, attention, resize = level.children()
    return block1, block2, attention, resize


class TriplaneUNet(nn.Module):
    """A U-Net whose output pixels are the features of three planes.

    Args:
        config: Sizes.

    Attributes:
        recompute: Whether the backward pass computes the blocks again instead of keeping what is inside them.
    """

    recompute = False

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.generator_config = config
        width, embedding = config.width, 4 * config.width
        widths = [width, *(width * multiplier for multiplier in config.multipliers)]
        if config.position_channels:
            self.pos_embed = nn.Parameter(initial_position_map(config.position_channels, config.resolution, config.position_init))
        self.init_conv = nn.Conv2d(INPUT_CHANNELS + config.position_channels, width, 7, padding=3)
        self.time_mlp = nn.Sequential(SinusoidalEmbedding(width), nn.Linear(width, embedding), nn.GELU(), nn.Linear(embedding, embedding))
        self.downs = self._down_levels(widths, embedding)
        self.mid_block1 = ResidualBlock(widths[-1], widths[-1], embedding)
        self.mid_attn = full_attention(widths[-1], enabled=config.attention)
        self.mid_block2 = ResidualBlock(widths[-1], widths[-1], embedding)
        self.ups = self._up_levels(widths, embedding)
        self.final_res_block = ResidualBlock(2 * width, 2 * width, embedding)
        self.final_conv = PointwiseConvolution(2 * width, PLANES * config.features)
        self.constants = Constants()

    def _down_levels(self, widths: list[int], embedding: int) -> nn.ModuleList:
        levels = nn.ModuleList()
        for level, (narrow, wide) in enumerate(pairwise(widths)):
            last = level == len(widths) - 2
            blocks = [ResidualBlock(narrow, narrow, embedding) for _ in range(2)]
            attention = linear_attention(narrow, enabled=self.generator_config.attention)
            resize = Convolution(narrow, wide) if last else Downsampling(narrow, wide)
            levels.append(nn.ModuleList([*blocks, attention, resize]))
        return levels

    def _up_levels(self, widths: list[int], embedding: int) -> nn.ModuleList:
        levels = nn.ModuleList()
        for level, (narrow, wide) in reversed(list(enumerate(pairwise(widths)))):
            blocks = [ResidualBlock(narrow + wide, wide, embedding) for _ in range(2)]
            attention = linear_attention(wide, enabled=self.generator_config.attention)
            resize = Convolution(wide, narrow) if level == 0 else Upsampling(wide, narrow)
            levels.append(nn.ModuleList([*blocks, attention, resize]))
        return levels

    def forget_constants(self) -> None:
        """Drops what inference keeps from one image to the next; needed only after changes that PyTorch cannot see.

        Those are writes into `parameter.data` or through a NumPy array that shares a parameter's memory.
        """
        forget_constants(self)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "TriplaneUNet":  # noqa: FBT001, FBT002 (torch's signature)
        """Moves or converts the parameters, see nn.Module."""
        self.forget_constants()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _time_embedding(self) -> Embedding:
        """Embeds the constant time."""
        embedding: Tensor = self.time_mlp(torch.full((1,), CONSTANT_TIME, device=self.init_conv.weight.device))
        return embedding

    def _position_share(self) -> Features:
        """Returns what the position map gives to the first convolution."""
        weight = self.init_conv.weight[:, INPUT_CHANNELS:]
        if is_wide_and_exact(self.pos_embed, weight) and has_tiles(self.pos_embed, WIDE_FILTERS, FEWEST_WIDE_TILES):
            return winograd.convolved(self.pos_embed, weight, None, WIDE_FILTERS)
        return F.conv2d(self.pos_embed, weight, padding=3).contiguous(memory_format=torch.channels_last)

    def _first_convolution(self, rgbd: Features) -> Features:
        """Convolves input and position map, whose share is the same for all images."""
        weight, bias = self.init_conv.weight, self.init_conv.bias
        features = F.conv2d(rgbd, weight[:, :INPUT_CHANNELS], bias, padding=3)
        if self.generator_config.position_channels:
            features = added(features, self.constants.get("position", [self.pos_embed, weight], self._position_share))
        return features

    def _run(self, block: nn.Module, *inputs: Tensor) -> Tensor:
        """Applies a block, keeping all of it for the backward pass or only its inputs."""
        if self.recompute and torch.is_grad_enabled():
            recomputed: Tensor = checkpoint(block, *inputs, use_reentrant=False, preserve_rng_state=False)
            return recomputed
        result: Tensor = block(*inputs)
        return result

    def _descend(self, features: Features, embedding: Embedding, additions: Sequence[Features]) -> tuple[Features, list[Features]]:
        skips = []
        for level, addition in zip_longest(self.downs, additions):
            block1, block2, attention, resize = _parts(level)
            features = features if addition is None else features + addition
            features = self._run(block1, features, embedding)
            skips.append(features)
            features = self._run(attention, self._run(block2, features, embedding))
            skips.append(features)
            features = resize(features)
        return features, skips

    def _ascend(self, features: Features, skips: list[Features], embedding: Embedding) -> Features:
        for level in self.ups:
            block1, block2, attention, resize = _parts(level)
            features = self._run(block1, torch.cat([features, skips.pop()], dim=1), embedding)
            features = self._run(attention, self._run(block2, torch.cat([features, skips.pop()], dim=1), embedding))
            features = resize(features)
        return features

    def planes(
        self,
        images: Float[Tensor, "batch 3 height width"],
        depths: Float[Tensor, "batch 1 height width"],
        guidance: Guidance | None = None,
    ) -> Float[Tensor, "batch 3 channel height width"]:
        """Returns the tri-planes, before the layout places them in the box.

        Args:
            images: RGB in [-1, 1].
            depths: Distance along the ray, world units in [4, 6).
            guidance: What conditioning adds; None for nothing.
        """
        time = [*self.time_mlp.parameters(), *self.time_mlp.buffers()]
        embedding, guidance = self.constants.get("time", time, self._time_embedding), guidance or Guidance()
        if guidance.embedding is not None:
            embedding = embedding + guidance.embedding
        rgbd = torch.cat([images, depths - self.generator_config.depth_offset], dim=1).contiguous(memory_format=torch.channels_last)
        first = self._first_convolution(rgbd)
        features, skips = self._descend(first, embedding, guidance.levels)
        features = self._run(self.mid_attn, self._run(self.mid_block1, features, embedding))
        features = self._run(self.mid_block2, features, embedding)
        features = self._ascend(features, skips, embedding)
        features = self._run(self.final_res_block, torch.cat([features, first], dim=1), embedding)
        planes: Tensor = self.final_conv(features).float() * self.generator_config.plane_gain
        return planes.reshape(len(planes), PLANES, -1, *planes.shape[2:])
