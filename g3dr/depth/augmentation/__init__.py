"""Training pictures in disguise: the things of a picture in other surroundings, cropped, and taken by another camera.

Procedural animals stand on noise before noise. A network that has seen nothing else takes whatever is not noise for an animal; here
things get other textures and surroundings with other depths, so that what remains alike is what photographs share: things cover what
is behind them, stand on a ground that comes nearer downwards, and get small, pale and blurred with the distance.

All chance is a function of (seed, step, position of the image in the batch).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.depth.augmentation.camera import photographed
from g3dr.depth.augmentation.crops import cropped
from g3dr.depth.augmentation.dice import Dice
from g3dr.depth.augmentation.layers import Layer, Map, chosen, over
from g3dr.depth.augmentation.shade import shaded
from g3dr.depth.augmentation.surroundings import make_ground, surroundings
from g3dr.depth.augmentation.things import cut_out, foothold, moved, repainted
from g3dr.depth.config import DepthNetworkConfig
from g3dr.training.chance import StepChance

_LEAST_SPREAD = 0.03

__all__ = ["augment", "in_other_surroundings"]


def augment(
    images: Float[Tensor, "batch 3 side side"],
    disparity: Float[Tensor, "batch 1 side side"],
    chance: StepChance,
    config: DepthNetworkConfig,
) -> tuple[Float[Tensor, "batch 3 side side"], Float[Tensor, "batch 1 side side"]]:
    """Returns other pictures with their disparity.

    Args:
        images: RGB in [-1, 1].
        disparity: As `g3dr.depth.disparity` gives it.
        chance: One generator for each image.
        config: How much of everything.
    """
    dice = Dice(chance)
    pictures = ((images + 1) / 2).clamp(0, 1)
    there = Layer(pictures, disparity, torch.ones_like(disparity, dtype=torch.bool))
    elsewhere = in_other_surroundings(there, dice, config.repainted)
    seen = chosen(dice.happens(config.scenes), elsewhere, there)
    part = cropped(seen, dice, config.least_crop, config.roll)
    seen = chosen(_spread(part.disparity) > _LEAST_SPREAD, part, seen)
    return photographed(seen.colors, seen.disparity, dice, config.camera) * 2 - 1, seen.disparity


def _spread(disparity: Map) -> Float[Tensor, "batch 1 1 1"]:
    """Returns the mean absolute deviation of each map, which the loss divides by: of an empty wall nothing can be learnt."""
    return (disparity - disparity.mean(dim=(2, 3), keepdim=True)).abs().mean(dim=(2, 3), keepdim=True)


def in_other_surroundings(there: Layer, dice: Dice, share_repainted: float) -> Layer:
    """Moves the near things of each picture into surroundings that are made up.

    Args:
        there: Whole pictures.
        dice: Chance.
        share_repainted: Share of the things that get another texture.
    """
    thing = repainted(moved(cut_out(there.colors, there.disparity), dice), dice, share_repainted)
    ground = make_ground(foothold(thing), dice)
    return over(thing, shaded(surroundings(ground, there.disparity.shape[-1], dice), thing, dice))
