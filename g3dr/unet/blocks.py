"""The parts of which the U-Net is built.

Attribute names are those of the published checkpoints, so that their parameters load without a map.
Norms are computed in float32 with an epsilon of 1e-5 whatever autocast says. Features lie in memory with their channels last.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.unet.constants import Constants
from g3dr.unet.convolutions import NORM_EPSILON, Features, PointwiseConvolution, StandardizedConvolution, added

GROUPS = 8

Embedding = Float[Tensor, "_rows _channel"]  # one row for all images, or one for each
Modulation = Float[Tensor, "_rows 2 _channel"]  # gain and shift


class GroupNorm(nn.GroupNorm):
    """Group normalisation in float32."""

    def forward(self, input: Features, modulation: Modulation | None = None) -> Features:  # noqa: A002, the name of nn.GroupNorm
        """Normalises and returns float32; `modulation` replaces the norm's gain and shift, for all images (one row) or for each."""
        with torch.autocast(input.device.type, enabled=False):
            if modulation is not None and len(modulation) > 1:
                gain, shift = modulation[..., None, None].unbind(1)
                return torch.addcmul(shift, F.group_norm(input.float(), self.num_groups, eps=self.eps), gain)
            gain, shift = (self.weight, self.bias) if modulation is None else modulation[0]
            return F.group_norm(input.float(), self.num_groups, gain, shift, self.eps)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, with a gain and no shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, features: Features) -> Features:
        """Normalises and returns float32."""
        with torch.autocast(features.device.type, enabled=False):
            last = features.float().permute(0, 2, 3, 1)
            return F.layer_norm(last, last.shape[-1:], self.g.flatten(), eps=NORM_EPSILON).permute(0, 3, 1, 2)


class ConvolutionBlock(nn.Module):
    """Standardised 3x3 convolution, group norm, SiLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = StandardizedConvolution(inputs, outputs)
        self.norm = GroupNorm(GROUPS, outputs, eps=NORM_EPSILON)

    def forward(self, features: Features, modulation: Modulation | None = None) -> Features:
        """Applies the block; `modulation` replaces the norm's gain and shift."""
        return F.silu(self.norm(self.proj(features), modulation), inplace=not torch.is_grad_enabled())


class ResidualBlock(nn.Module):
    """Two convolution blocks beside a skip connection; the embedding modulates the first."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * outputs))
        self.block1 = ConvolutionBlock(inputs, outputs)
        self.block2 = ConvolutionBlock(outputs, outputs)
        self.res_conv = PointwiseConvolution(inputs, outputs) if inputs != outputs else nn.Identity()
        self.constants = Constants()

    def _modulation(self, embedding: Embedding) -> Modulation:
        """Returns the first norm's gain and shift with the embedding's scale and shift behind it: x * (scale + 1) + shift."""
        scale, shift = self.mlp(embedding).float().chunk(2, dim=1)
        norm = self.block1.norm
        return torch.stack([norm.weight * (scale + 1), norm.bias * (scale + 1) + shift], dim=1)

    def forward(self, features: Features, embedding: Embedding) -> Features:
        """Applies the block."""
        sources = [embedding, *self.mlp.parameters(), *self.block1.norm.parameters()]
        modulation = self.constants.get("modulation", sources, lambda: self._modulation(embedding))
        return added(self.block2(self.block1(features, modulation)), self.res_conv(features))


class SinusoidalEmbedding(nn.Module):
    """Sines and cosines of a time, wavelengths from 2 pi to 10,000 * 2 pi (Vaswani et al. 2017)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.register_buffer("frequencies", torch.exp(torch.arange(half) * (-math.log(10_000) / (half - 1))), persistent=False)
        self.frequencies: Tensor

    def forward(self, time: Float[Tensor, "batch"]) -> Float[Tensor, "batch channel"]:
        """Embeds each time."""
        angles = time[:, None] * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)
