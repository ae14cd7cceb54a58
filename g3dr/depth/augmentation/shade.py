"""The soft shade of things on what is around them."""

from g3dr.depth.augmentation.dice import Dice
from g3dr.depth.augmentation.filters import at_places, blurred, resampled
from g3dr.depth.augmentation.layers import Layer, positions


def shaded(back: Layer, thing: Layer, dice: Dice) -> Layer:
    """Darkens the surroundings beside and below a thing.

    Args:
        back: The surroundings.
        thing: What throws the shade.
        dice: Chance.
    """
    u, v = positions(back.disparity)
    places = at_places(u + dice.between(-0.15, 0.15), (v - 0.5) * dice.ratio(1.0, 2.0) + 0.45)
    cast = resampled(thing.mask.to(u.dtype), places, "bilinear")
    dark = blurred(cast, dice.between(1.0, 3.0)) * dice.between(0.0, 0.6)
    return Layer(back.colors * (1 - dark), back.disparity, back.mask)
