"""What a camera and a file do to a picture: haze, focus, light, noise, compression."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.depth.augmentation.dice import Dice
from g3dr.depth.augmentation.filters import blurred
from g3dr.depth.augmentation.layers import Colors, Map, positions

_BLOCK = 8


def photographed(pictures: Colors, disparity: Map, dice: Dice, strength: float) -> Colors:
    """Returns the pictures as a camera might have taken them.

    Args:
        pictures: What is there.
        disparity: How near it is: far things get pale, and blurred where the camera looks at near ones.
        dice: Chance.
        strength: 0 changes nothing, 1 is usual.
    """
    if strength == 0:
        return pictures
    pictures = _hazy(pictures, disparity, dice, strength)
    pictures = _focused(pictures, disparity, dice, strength)
    pictures = _exposed(pictures, dice, strength)
    pictures = torch.where(dice.happens(0.35 * strength), blurred(pictures, dice.between(0.3, 1.3)), pictures)
    pictures = _noisy(pictures, dice, strength).clamp(0, 1)
    return torch.where(dice.happens(0.5 * strength), compressed(pictures, dice.ratio(0.01, 0.12)), pictures).clamp(0, 1)


def _farness(disparity: Map) -> Map:
    """Returns 0 at the nearest and 1 at the farthest pixel of each picture."""
    near, far = disparity.amax(dim=(2, 3), keepdim=True), disparity.amin(dim=(2, 3), keepdim=True)
    return (near - disparity) / (near - far).clamp(min=1e-3)


def _hazy(pictures: Colors, disparity: Map, dice: Dice, strength: float) -> Colors:
    veil = dice.between(0.5, 1.0) + dice.between(-0.06, 0.06, 3, 1, 1)
    amount = _farness(disparity) ** dice.between(1.0, 3.0) * dice.between(0.2, 0.8) * dice.happens(0.3 * strength)
    return torch.lerp(pictures, veil.expand_as(pictures), amount)


def _focused(pictures: Colors, disparity: Map, dice: Dice, strength: float) -> Colors:
    """Blurs what is away from the distance that the camera looks at, which is mostly that of near things."""
    farness = _farness(disparity)
    focus = torch.quantile(farness.flatten(start_dim=1), 0.3, dim=1).view(-1, 1, 1, 1) * dice.between(0.5, 1.2)
    amount = ((farness - focus).abs() * dice.ratio(1.5, 6.0) - 0.2).clamp(0, 1) * dice.happens(0.45 * strength)
    return torch.lerp(pictures, blurred(pictures, dice.between(1.0, 3.5)), amount)


def _exposed(pictures: Colors, dice: Dice, strength: float) -> Colors:
    """Changes brightness, contrast, gamma, the colour of the light, saturation, and the light across the picture."""
    u, v = positions(pictures)
    angle = dice.between(0.0, 2 * math.pi)
    gray = pictures.mean(dim=1, keepdim=True)
    pictures = torch.lerp(gray.expand_as(pictures), pictures, 1 + strength * dice.between(-0.8, 0.4))
    gains = 1 + strength * (dice.between(-0.3, 0.3) + dice.between(-0.15, 0.15, 3, 1, 1))
    fall = 1 + strength * dice.between(0.0, 0.3) * (angle.cos() * u + angle.sin() * v)
    pictures = (pictures * gains * fall).clamp(1e-4, 1) ** (1 + strength * dice.between(-0.35, 0.5))
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (pictures - middle) * (1 + strength * dice.between(-0.4, 0.8))


def _noisy(pictures: Colors, dice: Dice, strength: float) -> Colors:
    noise = dice.between(-1.0, 1.0, *pictures.shape[1:])
    return pictures + noise * dice.between(0.0, 0.1) * dice.happens(0.5 * strength)


def compressed(pictures: Colors, coarseness: Float[Tensor, "batch 1 1 1"]) -> Colors:
    """Loses what JPEG loses: in blocks of 8 x 8 pixels, cosine by cosine, the fine ones most.

    Args:
        pictures: Sides divisible by 8.
        coarseness: Step to which the coarsest cosine is rounded; the finest has a step some eight times as large.
    """
    batch, channels, height, width = pictures.shape
    basis = _cosines(pictures)
    blocks = pictures.view(batch, channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    spectrum = torch.einsum("ij,bcyjxl,kl->bcyxik", basis, blocks, basis)
    order = torch.arange(_BLOCK, device=pictures.device)
    steps = coarseness.view(-1, 1, 1, 1, 1, 1) * (1 + (order[:, None] + order) * 0.5)
    rounded = (spectrum / steps).round() * steps
    return torch.einsum("ij,bcyxik,kl->bcyjxl", basis, rounded, basis).reshape(pictures.shape)


def _cosines(like: Tensor) -> Float[Tensor, "8 8"]:
    """Returns the orthonormal cosine basis, one function a row."""
    order = torch.arange(_BLOCK, device=like.device, dtype=like.dtype)
    basis = torch.cos(math.pi / _BLOCK * (order + 0.5) * order[:, None]) * math.sqrt(2 / _BLOCK)
    basis[0] /= math.sqrt(2)
    return basis
