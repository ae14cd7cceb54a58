"""Pictures as layers: what is in front of what.

Colours are RGB in [0, 1]. Disparity is that of `g3dr.depth.disparity`: 0 at the back of the box, 1 at its front, -2.2 at infinity.
Positions are u (to the right) and v (downwards), -1 to 1 over the picture.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

Colors = Float[Tensor, "batch 3 height width"]
Map = Float[Tensor, "batch 1 height width"]
Mask = Bool[Tensor, "batch 1 height width"]


@dataclass(frozen=True)
class Layer:
    """What covers a picture, or a part of it.

    Attributes:
        colors: What it looks like; means something where `mask` holds and a little around.
        disparity: How near it is.
        mask: Where it is.
    """

    colors: Colors
    disparity: Map
    mask: Mask


def positions(like: Tensor, side: int | None = None) -> tuple[Float[Tensor, "1 1 1 width"], Float[Tensor, "1 1 height 1"]]:
    """Returns u and v of the pixels' middles.

    Args:
        like: Pictures of the size that is meant; decides device and precision.
        side: Another size, square.
    """
    height, width = like.shape[-2:] if side is None else (side, side)
    u = (torch.arange(width, device=like.device, dtype=like.dtype) * 2 + 1) / width - 1
    v = (torch.arange(height, device=like.device, dtype=like.dtype) * 2 + 1) / height - 1
    return u.view(1, 1, 1, width), v.view(1, 1, height, 1)


def over(front: Layer, back: Layer, *, soft: bool = True) -> Layer:
    """Lays one layer over another that covers the whole picture: at each pixel the nearer one is seen.

    Args:
        front: May cover a part.
        back: Covers the whole picture.
        soft: Mix colours along the edges, as lenses do.
    """
    seen = front.mask & (front.disparity > back.disparity)
    return Layer(
        colors=torch.lerp(back.colors, front.colors, _softened(seen)) if soft else torch.where(seen, front.colors, back.colors),
        disparity=torch.where(seen, front.disparity, back.disparity),
        mask=back.mask,
    )


def _softened(seen: Mask) -> Map:
    share = functional.avg_pool2d(functional.pad(seen.float(), (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return torch.where(seen, (share + 1) / 2, share / 2)


def chosen(which: Bool[Tensor, "batch 1 1 1"], first: Layer, second: Layer) -> Layer:
    """Returns for each picture one of two layers: the first where `which` holds."""
    return Layer(
        torch.where(which, first.colors, second.colors),
        torch.where(which, first.disparity, second.disparity),
        torch.where(which, first.mask, second.mask),
    )
