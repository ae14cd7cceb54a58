"""The generator in the published form: slow and obvious, nothing kept, nothing merged.

It reads the parameters of this project's U-Net and computes from them what the publication describes, one operation at a time:
the position map is concatenated to every image, filters are standardised at every forward, the constant time is embedded at
every forward, attention is written out.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from torch import Tensor, nn

Module = Any  # parts of the network by the names of the published checkpoints

EPSILON = 1e-5
HEADS = 4


def _convolved(convolution: Module, features: Tensor) -> Tensor:
    """Applies a convolution that keeps the size of the map."""
    return F.conv2d(features, convolution.weight, convolution.bias, padding=convolution.weight.shape[-1] // 2)


def _standardized(convolution: Module, features: Tensor) -> Tensor:
    weight = convolution.weight
    mean = weight.mean(dim=(1, 2, 3), keepdim=True)
    variance = weight.var(dim=(1, 2, 3), unbiased=False, keepdim=True)
    return F.conv2d(features, (weight - mean) * (variance + EPSILON).rsqrt(), convolution.bias, padding=1)


def _half(block: Module, features: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
    projection, norm = block.proj, block.norm
    features = F.group_norm(_standardized(projection, features), norm.num_groups, norm.weight, norm.bias, EPSILON)
    if modulation is not None:
        scale, shift = modulation
        features = features * (scale + 1) + shift
    return F.silu(features)


def _block(block: Module, features: Tensor, time: Tensor) -> Tensor:
    modulation = block.mlp[1](F.silu(time))[..., None, None].chunk(2, dim=1)
    hidden = _half(block.block1, features, modulation)
    skip = features if isinstance(block.res_conv, nn.Identity) else _convolved(block.res_conv, features)
    return _half(block.block2, hidden) + skip


def _channel_norm(norm: Module, features: Tensor) -> Tensor:
    mean = features.mean(dim=1, keepdim=True)
    variance = features.var(dim=1, unbiased=False, keepdim=True)
    normalized: Tensor = (features - mean) * (variance + EPSILON).rsqrt() * norm.g
    return normalized


def _heads(convolution: Module, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    query, key, value = _convolved(convolution, features).chunk(3, dim=1)
    one, other, last = (part.reshape(len(part), HEADS, -1, part.shape[2] * part.shape[3]) for part in (query, key, value))
    return one, other, last


def _linear_attention(attention: Module, features: Tensor) -> Tensor:
    query, key, value = _heads(attention.to_qkv, features)
    query = query.softmax(dim=-2) * query.shape[-2] ** -0.5
    context = torch.einsum("bhdn,bhen->bhde", key.softmax(dim=-1), value / value.shape[-1])
    attended = torch.einsum("bhde,bhdn->bhen", context, query)
    convolution, norm = attention.to_out
    return _channel_norm(norm, _convolved(convolution, attended.reshape(len(features), -1, *features.shape[2:])))


def _full_attention(attention: Module, features: Tensor) -> Tensor:
    query, key, value = _heads(attention.to_qkv, features)
    similarity = torch.einsum("bhdi,bhdj->bhij", query * query.shape[-2] ** -0.5, key)
    attended = torch.einsum("bhij,bhdj->bhdi", similarity.softmax(dim=-1), value)
    return _convolved(attention.to_out, attended.reshape(len(features), -1, *features.shape[2:]))


def _attention(residual: Module, features: Tensor) -> Tensor:
    """Applies norm, attention and the skip around them; the identity where attention is off."""
    if isinstance(residual, nn.Identity):
        return features
    normalized = residual.fn
    inner = normalized.fn
    attend = _linear_attention if isinstance(inner.to_out, nn.Sequential) else _full_attention
    return attend(inner, _channel_norm(normalized.norm, features)) + features


def _smaller(resize: Module, features: Tensor) -> Tensor:
    """Applies a level's last convolution, after 2x2 pixels became channels unless the level is the last."""
    if not isinstance(resize, nn.Sequential):
        return _convolved(resize, features)
    return _convolved(resize[1], F.pixel_unshuffle(features, 2))


def _larger(resize: Module, features: Tensor) -> Tensor:
    """Applies a level's last convolution, after doubling the resolution unless the level is the last."""
    if not isinstance(resize, nn.Sequential):
        return _convolved(resize, features)
    return _convolved(resize[1], F.interpolate(features, scale_factor=2, mode="nearest"))


def _time(unet: Module) -> Tensor:
    _, linear, _, last = unet.time_mlp
    half = linear.in_features // 2
    frequencies = torch.exp(torch.arange(half, device=linear.weight.device) * (-math.log(10_000) / (half - 1)))
    embedded: Tensor = last(F.gelu(linear(torch.cat([frequencies.sin(), frequencies.cos()])[None])))
    return embedded


def published_planes(unet: Module, images: Tensor, depths: Tensor) -> Tensor:
    """Returns the tri-planes of a batch, computed in the published form.

    Args:
        unet: Where the parameters are.
        images: RGB in [-1, 1], shape (batch, 3, height, width).
        depths: World units, shape (batch, 1, height, width).
    """
    position = [unet.pos_embed.expand(len(images), -1, -1, -1)] if unet.generator_config.position_channels else []
    first = _convolved(unet.init_conv, torch.cat([images, depths - unet.generator_config.depth_offset, *position], dim=1))
    time, features, skips = _time(unet), first, list[Tensor]()
    for block1, block2, attention, resize in unet.downs:
        skips.append(_block(block1, features, time))
        skips.append(_attention(attention, _block(block2, skips[-1], time)))
        features = _smaller(resize, skips[-1])
    features = _block(unet.mid_block2, _attention(unet.mid_attn, _block(unet.mid_block1, features, time)), time)
    for block1, block2, attention, resize in unet.ups:
        features = _block(block1, torch.cat([features, skips.pop()], dim=1), time)
        features = _attention(attention, _block(block2, torch.cat([features, skips.pop()], dim=1), time))
        features = _larger(resize, features)
    features = _block(unet.final_res_block, torch.cat([features, first], dim=1), time)
    planes = _convolved(unet.final_conv, features) * float(unet.generator_config.plane_gain)
    return planes.reshape(len(planes), 3, -1, *planes.shape[2:])
