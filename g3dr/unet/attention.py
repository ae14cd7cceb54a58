"""Attention over the pixels of a feature map: linear on every level, full in the middle."""

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.unet.blocks import ChannelNorm, Features

HEADS = 4
HEAD_CHANNELS = 32
INNER_CHANNELS = HEADS * HEAD_CHANNELS

HeadTensor = Float[Tensor, "batch heads inner positions"]


def _split_heads(qkv: Features) -> tuple[HeadTensor, HeadTensor, HeadTensor]:
    """Splits a map of queries, keys and values into heads over flattened positions."""
    query, key, value = qkv.reshape(len(qkv), 3, HEADS, HEAD_CHANNELS, -1).unbind(1)
    return query, key, value


class LinearAttention(nn.Module):
    """Attention whose cost grows linearly with the number of pixels (Shen et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qkv = nn.Conv2d(channels, 3 * INNER_CHANNELS, 1, bias=False)
        self.to_out = nn.Sequential(nn.Conv2d(INNER_CHANNELS, channels, 1), ChannelNorm(channels))

    def forward(self, features: Features) -> Features:
        """Attends; queries are normalised over channels, keys over positions."""
        query, key, value = _split_heads(self.to_qkv(features))
        positions = query.shape[-1]
        query = query.softmax(dim=-2) * HEAD_CHANNELS**-0.5
        context = torch.einsum("bhdn,bhen->bhde", key.softmax(dim=-1), value / positions)
        attended = torch.einsum("bhde,bhdn->bhen", context, query)
        result: Tensor = self.to_out(attended.reshape(len(features), INNER_CHANNELS, *features.shape[2:]))
        return result


class FullAttention(nn.Module):
    """Ordinary softmax attention between all pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qkv = nn.Conv2d(channels, 3 * INNER_CHANNELS, 1, bias=False)
        self.to_out = nn.Conv2d(INNER_CHANNELS, channels, 1)

    def forward(self, features: Features) -> Features:
        """Attends."""
        query, key, value = (heads.transpose(-1, -2) for heads in _split_heads(self.to_qkv(features)))
        attended = F.scaled_dot_product_attention(query, key, value).transpose(-1, -2)
        result: Tensor = self.to_out(attended.reshape(len(features), INNER_CHANNELS, *features.shape[2:]))
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
        result: Tensor = self.fn(features) + features
        return result


def linear_attention(channels: int, *, enabled: bool) -> nn.Module:
    """Returns the attention of one level, or the identity."""
    return Residual(PreNormalized(channels, LinearAttention(channels))) if enabled else nn.Identity()


def full_attention(channels: int, *, enabled: bool) -> nn.Module:
    """Returns the attention of the middle, or the identity."""
    return Residual(PreNormalized(channels, FullAttention(channels))) if enabled else nn.Identity()
