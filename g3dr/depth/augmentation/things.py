"""The things of a picture with depth, cut out by their depth, moved, and painted anew."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from g3dr.depth.augmentation.dice import Dice
from g3dr.depth.augmentation.filters import at_places
from g3dr.depth.augmentation.layers import Colors, Layer, Map, Mask, positions
from g3dr.depth.augmentation.textures import evenly_painted
from g3dr.depth.disparity import INFINITELY_FAR

_MARGIN = 0.02
_BLEED = 5
_SOLE = 0.06
_LUMINANCE = (0.299, 0.587, 0.114)


def near_things(disparity: Map) -> Mask:
    """Returns what stands in front of its surroundings: nearer than the farthest pixel of its row.

    A level ground and an upright wall have one disparity along each row, and both are seen somewhere in the row: of a procedural
    animal this is the exact silhouette. Of any other picture it is its near half, which does as well to be pasted elsewhere.
    """
    return disparity > disparity.amin(dim=3, keepdim=True) + _MARGIN


def cut_out(pictures: Colors, disparity: Map) -> Layer:
    """Cuts the near things out; around them their colours go on, so that no edge shows where they were."""
    mask = near_things(disparity)
    share = mask.to(pictures.dtype)
    sums = functional.avg_pool2d(pictures * share, _BLEED, stride=1, padding=_BLEED // 2)
    shares = functional.avg_pool2d(share, _BLEED, stride=1, padding=_BLEED // 2)
    return Layer(torch.where(mask, pictures, sums / shares.clamp(min=1e-3)), disparity, mask)


def moved(thing: Layer, dice: Dice) -> Layer:
    """Moves the things and makes them larger or smaller, which is nearer or farther away."""
    scale = dice.ratio(0.5, 2.2)
    across, down = dice.between(-0.6, 0.6), dice.between(-0.45, 0.55)
    u, v = positions(thing.disparity)
    places = at_places((u - across) / scale, (v - down) / scale)
    sampled = functional.grid_sample(thing.colors, places, mode="bilinear", align_corners=False)
    exact = torch.cat([thing.disparity, thing.mask.to(thing.disparity.dtype)], dim=1)
    exact = functional.grid_sample(exact, places, mode="nearest", align_corners=False)
    return Layer(sampled, INFINITELY_FAR + scale * (exact[:, :1] - INFINITELY_FAR), exact[:, 1:] > 0.5)


def repainted(thing: Layer, dice: Dice, share: float) -> Layer:
    """Gives some things another texture under the light and shade that they have."""
    side = thing.colors.shape[-1]
    paint = evenly_painted(dice, side)
    weights = thing.colors.new_tensor(_LUMINANCE).view(1, 3, 1, 1)
    light = (thing.colors * weights).sum(dim=1, keepdim=True)
    covered = thing.mask.to(light.dtype)
    usual = (light * covered).sum(dim=(2, 3), keepdim=True) / covered.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    lit = (paint * light / usual.clamp(min=0.05)).clamp(0, 1)
    amount = dice.between(0.3, 1.0) * dice.happens(share)
    return Layer(torch.lerp(thing.colors, lit, amount), thing.disparity, thing.mask)


@dataclass(frozen=True)
class Foothold:
    """Where things touch the ground.

    Attributes:
        row: v of their lowest point.
        disparity: How near they are there.
    """

    row: Float[Tensor, "batch 1 1 1"]
    disparity: Float[Tensor, "batch 1 1 1"]


def foothold(thing: Layer) -> Foothold:
    """Returns where the things stand; a usual place where there is nothing."""
    _, v = positions(thing.disparity)
    there = thing.mask.flatten(start_dim=1).any(dim=1).view(-1, 1, 1, 1)
    row = torch.where(thing.mask, v, -1.0).amax(dim=(2, 3), keepdim=True)
    soles = (thing.mask & (v > row - _SOLE)).to(v.dtype)
    disparity = (thing.disparity * soles).sum(dim=(2, 3), keepdim=True) / soles.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    return Foothold(torch.where(there, row, 0.5), torch.where(there, disparity, 0.5))
