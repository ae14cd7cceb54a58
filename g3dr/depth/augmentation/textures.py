"""Made-up surfaces: noise from coarse to fine, bands and blotches, in any two colours."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from g3dr.depth.augmentation.dice import Dice
from g3dr.depth.augmentation.layers import positions

_CELLS = (3, 8, 20, 50)
_PI = 3.14159265


def patterns(dice: Dice, count: int, side: int) -> Float[Tensor, "batch count side side"]:
    """Draws gray patterns in [0, 1] for each picture.

    Args:
        dice: Chance.
        count: How many for each picture.
        side: Their side, pixels.
    """
    noise = _noise(dice, count, side)
    u, v = positions(noise)
    angle = dice.between(0.0, 2 * _PI, count, 1, 1)
    frequency = dice.ratio(0.15, 10.0, count, 1, 1)
    phase = (
        frequency * (angle.cos() * u + angle.sin() * v) / 2
        + dice.between(0.0, 1.5, count, 1, 1) * noise
        + dice.between(0.0, 1.0, count, 1, 1)
    )
    bands = 0.5 + 0.5 * torch.sin(2 * _PI * phase)
    mixed = torch.where(dice.happens(0.4, count, 1, 1), bands, noise)
    hardness = dice.ratio(1.0, 12.0, count, 1, 1)
    return torch.sigmoid(hardness * (mixed - dice.between(0.35, 0.65, count, 1, 1)) * 2)


def _noise(dice: Dice, count: int, side: int) -> Float[Tensor, "batch count side side"]:
    """Draws sums of octaves in about [0, 1]; how much the fine ones say differs."""
    roughness = dice.between(0.25, 1.0, count, 1, 1)
    total, weights = torch.zeros(()), torch.zeros(())
    for octave, cells in enumerate(_CELLS):
        coarse = dice.between(0.0, 1.0, count, cells, cells)
        weight = roughness**octave
        total = total + weight * functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
        weights = weights + weight
    # A mean of many octaves stays close to its middle; this spreads it again.
    return ((total / weights - 0.5) * 1.8 + 0.5).clamp(0, 1)


def colors(dice: Dice, count: int) -> Float[Tensor, "batch count 3"]:
    """Draws colours: any brightness, mostly of little saturation, as outdoors."""
    gray = dice.between(0.08, 0.95, count, 1)
    hue = dice.between(-1.0, 1.0, count, 3)
    saturation = dice.between(0.0, 0.65, count, 1).square()
    return (gray + saturation * hue).clamp(0, 1)


def two_colors(dice: Dice, count: int) -> tuple[Float[Tensor, "batch count 3"], Float[Tensor, "batch count 3"]]:
    """Draws pairs of colours; some barely differ."""
    first = colors(dice, count)
    return first, torch.lerp(first, colors(dice, count), dice.between(0.0, 1.0, count, 1))


def painted(
    pattern: Float[Tensor, "batch 1 height width"],
    first: Float[Tensor, "batch 3 height width"],
    second: Float[Tensor, "batch 3 height width"],
) -> Float[Tensor, "batch 3 height width"]:
    """Colours a gray pattern: the first colour where it is 0, the second where it is 1."""
    return torch.lerp(first, second, pattern)


def evenly_painted(dice: Dice, side: int) -> Float[Tensor, "batch 3 side side"]:
    """Draws one texture for each picture."""
    first, second = (color.view(-1, 3, 1, 1).expand(-1, -1, side, side) for color in two_colors(dice, 1))
    return painted(patterns(dice, 1, side), first, second)
