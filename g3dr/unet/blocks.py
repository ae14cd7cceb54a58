"""The parts of which the U-Net is built.

Attribute names are those of the published checkpoints, so that their parameters load without a map.
Norms are computed in float32 with an epsilon of 1e-5 whatever autocast says.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn

NORM_EPSILON = 1e-5
GROUPS = 8

# Axes with an underscore may differ between the arguments and the result of one function.
Features = Float[Tensor, "batch _channel _height _width"]
Embedding = Float[Tensor, "1 _channel"]


class StandardizedConvolution(nn.Conv2d):
    """A convolution whose filters have mean 0 and variance 1 (weight standardisation, Qiao et al. 2019)."""

    def standardized_weight(self) -> Float[Tensor, "channel inputs height width"]:
        """Returns the filters as they are applied, always in float32."""
        flat = self.weight.float().flatten(1)
        return F.layer_norm(flat, flat.shape[1:], eps=NORM_EPSILON).view_as(self.weight)

    def forward(self, input: Features) -> Features:  # noqa: A002, the name of nn.Conv2d
        """Convolves with standardised filters."""
        return F.conv2d(input, self.standardized_weight(), self.bias, self.stride, self.padding)


class GroupNorm(nn.GroupNorm):
    """Group normalisation in float32."""

    def forward(self, input: Features) -> Features:  # noqa: A002, the name of nn.GroupNorm
        """Normalises and returns float32."""
        with torch.autocast(input.device.type, enabled=False):
            return F.group_norm(input.float(), self.num_groups, self.weight, self.bias, self.eps)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, with a gain and no shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, features: Features) -> Features:
        """Normalises and returns float32."""
        features = features.float()
        variance, mean = torch.var_mean(features, dim=1, unbiased=False, keepdim=True)
        return (features - mean) * (variance + NORM_EPSILON).rsqrt() * self.g


class ConvolutionBlock(nn.Module):
    """Standardised 3x3 convolution, group norm, an optional scale and shift, SiLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = StandardizedConvolution(inputs, outputs, 3, padding=1)
        self.norm = GroupNorm(GROUPS, outputs, eps=NORM_EPSILON)

    def forward(self, features: Features, scale: Embedding | None = None, shift: Embedding | None = None) -> Features:
        """Applies the block; `scale` and `shift` act per channel as x * (scale + 1) + shift."""
        features = self.norm(self.proj(features))
        if scale is not None and shift is not None:
            features = torch.addcmul(shift[..., None, None], features, scale[..., None, None] + 1)
        return F.silu(features)


class ResidualBlock(nn.Module):
    """Two convolution blocks beside a skip connection; the embedding modulates the first."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * outputs))
        self.block1 = ConvolutionBlock(inputs, outputs)
        self.block2 = ConvolutionBlock(outputs, outputs)
        self.res_conv = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, features: Features, embedding: Embedding) -> Features:
        """Applies the block."""
        scale, shift = self.mlp(embedding).float().chunk(2, dim=1)
        hidden = self.block2(self.block1(features, scale, shift))
        result: Tensor = hidden + self.res_conv(features)
        return result


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


def downsampling(inputs: int, outputs: int) -> nn.Sequential:
    """Halves the resolution: 2x2 pixels become channels, a 1x1 convolution mixes them."""
    return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * inputs, outputs, 1))


def upsampling(inputs: int, outputs: int) -> nn.Sequential:
    """Doubles the resolution: nearest neighbours, then a 3x3 convolution."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inputs, outputs, 3, padding=1))
