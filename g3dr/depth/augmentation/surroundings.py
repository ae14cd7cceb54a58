"""Made-up surroundings: ground, walls, a ceiling, what is far away, and simple bodies that stand about.

A plane's disparity is linear in the pixel's position, so the nearest of several is a room, a street or a meadow.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.depth.augmentation.dice import Dice
from g3dr.depth.augmentation.filters import resampled
from g3dr.depth.augmentation.layers import Layer, over, positions
from g3dr.depth.augmentation.textures import evenly_painted, painted, patterns, two_colors
from g3dr.depth.augmentation.things import Foothold
from g3dr.depth.disparity import INFINITELY_FAR

_PLANES = 5
_ABSENT = -1e3
_BODIES = 3


@dataclass(frozen=True)
class Ground:
    """A plane.

    Attributes:
        foot: A place on it.
        slope: Growth of the disparity downwards.
        tilt: Growth to the right, as a part of `slope`.
        there: 0, or `_ABSENT` where there is none.
        far: Disparity of what is farthest.
    """

    foot: Foothold
    slope: Float[Tensor, "batch 1 1 1"]
    tilt: Float[Tensor, "batch 1 1 1"]
    there: Float[Tensor, "batch 1 1 1"]
    far: Float[Tensor, "batch 1 1 1"]

    def at(self, u: Tensor, v: Tensor) -> Tensor:
        """Returns its disparity."""
        return self.foot.disparity + self.slope * (v - self.foot.row + self.tilt * u) + self.there


def make_ground(foot: Foothold, dice: Dice) -> Ground:
    """Draws a ground below the things, or none in a fifth of the pictures."""
    return Ground(
        foot,
        slope=dice.ratio(0.25, 2.5),
        tilt=dice.between(-0.15, 0.15),
        there=_ABSENT * dice.happens(0.2).float(),
        far=INFINITELY_FAR + (foot.disparity - INFINITELY_FAR) * dice.between(0.0, 0.92),
    )


def surroundings(ground: Ground, side: int, dice: Dice) -> Layer:
    """Draws what is around the things.

    Args:
        ground: Below them.
        side: Of the pictures, pixels.
        dice: Chance.
    """
    u, v = positions(ground.slope, side)
    disparity, material = torch.cat([plane.expand(-1, 1, side, side) for plane in _planes(ground, u, v, dice)], dim=1).max(
        dim=1, keepdim=True
    )
    pattern = patterns(dice, _PLANES, side)
    below, between, far = pattern[:, :1], pattern[:, 1:-1], pattern[:, -1:]
    far = torch.where(dice.happens(0.5), _sky(v, dice).expand_as(far), far)
    pattern = torch.cat([_laid_down(below, ground, u, v, dice), between, far], dim=1).gather(1, material)
    paint = painted(pattern, *(_of_material(one, material) for one in two_colors(dice, _PLANES)))
    back = Layer(paint, disparity, torch.ones_like(disparity, dtype=torch.bool))
    for _ in range(_BODIES):
        back = over(_body(ground, side, dice), back, soft=False)
    return back


def _of_material(colors: Float[Tensor, "batch plane 3"], material: Tensor) -> Float[Tensor, "batch 3 height width"]:
    """Returns the colour of each pixel's plane."""
    batch, _, height, width = material.shape
    index = material.view(batch, -1, 1).expand(-1, -1, 3)
    return colors.gather(1, index).transpose(1, 2).reshape(batch, 3, height, width)


def _planes(ground: Ground, u: Tensor, v: Tensor, dice: Dice) -> list[Tensor]:
    """Returns ground, left and right wall, ceiling, and what is far."""
    near = ground.foot.disparity
    found = [ground.at(u, v)]
    for along in (-u, u, -v):
        absent = _ABSENT * dice.happens(0.85)
        found.append(near + dice.ratio(0.3, 2.5) * (along - dice.between(0.3, 1.1)) + absent)
    slant = dice.between(-0.25, 0.25) * (near - ground.far) * dice.happens(0.4)
    return [*found, ground.far + slant * (u + dice.between(-0.5, 0.5) * v)]


def _sky(v: Tensor, dice: Dice) -> Float[Tensor, "batch 1 height 1"]:
    """Returns an even pattern, or one that changes slowly from above to below."""
    return (dice.between(0.0, 1.0) + dice.between(-0.5, 0.5) * v).clamp(0, 1)


def _laid_down(pattern: Tensor, ground: Ground, u: Tensor, v: Tensor, dice: Dice) -> Tensor:
    """Lays a pattern on the ground, where it gets finer and narrower with the distance; very far away it becomes even."""
    nearness = (ground.at(u, v) - ground.there - INFINITELY_FAR).clamp(min=0.05) / (ground.foot.disparity - INFINITELY_FAR).clamp(min=0.1)
    scale = dice.ratio(0.4, 2.0)
    places = torch.cat([scale * u / nearness, 2 * scale / nearness], dim=1).permute(0, 2, 3, 1)
    laid = resampled(pattern, places, "bilinear")
    usual = pattern.mean(dim=(2, 3), keepdim=True)
    return torch.lerp(usual, laid, (nearness * 1.5).clamp(max=1))


def _body(ground: Ground, side: int, dice: Dice) -> Layer:
    """Draws a stone, a trunk, a wall or a box: a superellipse that stands on the ground where it seems to, or hangs."""
    u, v = positions(ground.slope, side)
    middle, bottom = dice.between(-1.3, 1.3), dice.between(-0.3, 1.5)
    half_width, half_height, power = dice.ratio(0.04, 0.9), dice.ratio(0.08, 1.5), dice.ratio(2.0, 8.0)
    lean = dice.between(-0.3, 0.3)
    x = (u - middle - lean * (v - bottom)) / half_width
    y = (v - bottom + half_height) / half_height
    inside = 1 - x.abs() ** power - y.abs() ** power
    bulge = inside.clamp(min=1e-4).sqrt()
    hangs = dice.happens(0.25) | (ground.there < 0)
    hanging = ground.far + (ground.foot.disparity + 0.3 - ground.far) * dice.between(0.0, 1.0)
    standing = torch.minimum(torch.maximum(ground.at(middle, bottom), ground.far + 0.02), ground.foot.disparity + 1)
    base = torch.where(hangs, hanging, standing)
    depth = dice.between(0.0, 0.3) * torch.minimum(half_width, half_height)
    disparity = base + depth * bulge * (base - INFINITELY_FAR)
    paint = evenly_painted(dice, side)
    light = 0.75 + 0.35 * dice.happens(0.7) * (dice.between(-1.0, 1.0) * x - dice.between(0.0, 1.0) * y) * (1 - bulge)
    return Layer((paint * light).clamp(0, 1), disparity, inside > 0)
