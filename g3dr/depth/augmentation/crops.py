"""Parts of pictures, enlarged, stretched and turned a little, with their depth."""

import math

from jaxtyping import Float
from torch import Tensor

from g3dr.depth.augmentation.dice import Dice
from g3dr.depth.augmentation.filters import at_places, resampled
from g3dr.depth.augmentation.layers import Layer, positions


def cropped(whole: Layer, dice: Dice, least: float, roll: float) -> Layer:
    """Returns a part of each picture at the same size; disparity is taken from the nearest pixel, so that edges stay edges.

    Args:
        whole: Pictures with disparity.
        dice: Chance.
        least: Smallest side of the part, as a share of the picture's.
        roll: Largest rotation, degrees.
    """
    places = _places(whole, dice, least, math.radians(roll))
    return Layer(
        resampled(whole.colors, places, "bilinear"),
        resampled(whole.disparity, places, "nearest"),
        resampled(whole.mask.to(whole.disparity.dtype), places, "nearest") > 0.5,
    )


def _places(whole: Layer, dice: Dice, least: float, roll: float) -> Float[Tensor, "batch height width 2"]:
    """Draws where the pixels of the part lie in the whole."""
    u, v = positions(whole.disparity)
    size, stretch, angle = dice.between(least, 1.0), dice.ratio(0.9, 1 / 0.9), dice.between(-roll, roll)
    wide, high = (size * stretch).clamp(max=1), (size / stretch).clamp(max=1)
    x, y = u * wide, v * high
    across = angle.cos() * x - angle.sin() * y + dice.between(-1.0, 1.0) * (1 - wide)
    down = angle.sin() * x + angle.cos() * y + dice.between(-1.0, 1.0) * (1 - high)
    return at_places(across, down)
