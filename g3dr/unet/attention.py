"""Attention over the pixels of a feature map: linear on every level, full in the middle."""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.unet.blocks import ChannelNorm
from g3dr.unet.convolutions import Features, PointwiseConvolution, added

HEADS = 4
HEAD_CHANNELS = 32
INNER_CHANNELS = HEADS * HEAD_CHANNELS

HeadTensor = Float[Tensor, "batch heads positions inner"]


def _split_heads(qkv: Features) -> tuple[HeadTensor, HeadTensor, HeadTensor]:
    """Splits a map of queries, keys and values into heads over flattened positions; views, where channels lie last."""
    query, key, value = qkv.permute(0, 2, 3, 1).reshape(len(qkv), -1, 3, HEADS, HEAD_CHANNELS).permute(2, 0, 3, 1, 4)
    return query, key, value


def _mix(
    context: Float[Tensor, "batch heads inner inner"], weight: Float[Tensor, "channel heads_x_inner 1 1"]
) -> Float[Tensor, "batch heads_x_inner channel"]:
    """Applies the output convolution to the context of each head."""
    return (context @ weight.reshape(-1, HEADS, HEAD_CHANNELS).permute(1, 2, 0)).flatten(1, 2)


class LinearAttention(nn.Module):
    """Attention whose cost grows linearly with the number of pixels (Shen et al. 2018).

    What the values of all pixels sum to is a small matrix per head. Scales and the output convolution are applied to these
    matrices instead of to every pixel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qkv = PointwiseConvolution(channels, 3 * INNER_CHANNELS, bias=False)
        self.to_out = nn.Sequential(nn.Conv2d(INNER_CHANNELS, channels, 1), ChannelNorm(channels))

    def forward(self, features: Features) -> Features:
        """Attends; queries are normalised over channels, keys over positions."""
        query, key, value = _split_heads(self.to_qkv(features))
        context = key.softmax(dim=-2).transpose(-1, -2) @ value * (HEAD_CHANNELS**-0.5 / value.shape[-2])
        convolution, norm = cast(nn.Conv2d, self.to_out[0]), self.to_out[1]
        mixed = _mix(context, convolution.weight)
        queries = query.softmax(dim=-1).transpose(1, 2).reshape(len(features), -1, INNER_CHANNELS)
        attended = torch.baddbmm(cast(Tensor, convolution.bias), queries, mixed)
        last = attended.reshape(len(features), *features.shape[2:], -1)
        result: Tensor = norm(last.permute(0, 3, 1, 2))
        return result


class FullAttention(nn.Module):
    """Ordinary softmax attention between all pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qkv = PointwiseConvolution(channels, 3 * INNER_CHANNELS, bias=False)
        self.to_out = PointwiseConvolution(INNER_CHANNELS, channels)

    def forward(self, features: Features) -> Features:
        """Attends."""
        query, key, value = _split_heads(self.to_qkv(features))
        attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        last = attended.reshape(len(features), *features.shape[2:], INNER_CHANNELS)
        result: Tensor = self.to_out(last.permute(0, 3, 1, 2))
        return result


class PreNormalized(nn.Module):
    """Normalises the channels, then applies `fn`."""

    def __init__(self, channels: int, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn
        self.norm = ChannelNorm(channels)

    def forward(self, features: Features) -> Features:
        """Returns fn(norm(features))."""
        result: Tensor = self.fn(self.norm(features))
        return result


class Residual(nn.Module):
    """Adds its input to what `fn` makes of it."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, features: Features) -> Features:
        """Returns fn(features) + features."""
        return added(self.fn(features), features)


def linear_attention(channels: int, *, enabled: bool) -> nn.Module:
    """Returns the attention of one level, or the identity."""
    return Residual(PreNormalized(channels, LinearAttention(channels))) if enabled else nn.Identity()


def full_attention(channels: int, *, enabled: bool) -> nn.Module:
    """Returns the attention of the middle, or the identity."""
    return Residual(PreNormalized(channels, FullAttention(channels))) if enabled else nn.Identity()
