"""The node table: tri-planes in the form in which they are cheapest to look up. Exact, not an approximation.

Three levels of each plane (full, half, quarter resolution) are sampled bilinearly with zeros outside and summed [P]. All
breakpoints of the three lie on one grid of spacing 1 / (2 P), so the sum is a single bilinear lookup between 2 P + 9 nodes a
side. The decoder's first layer is linear and commutes with interpolation, so it is applied to the planes once instead of to
every sample. The sum of levels is separable: a small matrix per level and axis, hence no scattered writes in the backward pass.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LEVEL_FACTORS = (1, 2, 4)
BORDER_NODES = 4  # nodes outside the planes on each side: the reach of the coarsest level

Axis = Float[Tensor, "_outputs _inputs"]
Picture = Float[Tensor, "_height _width channel"]
Pictures = Float[Tensor, "picture height width channel"]


@dataclass(frozen=True)
class NodeTable:
    """Decoder inputs at the nodes of every distinct plane.

    Attributes:
        rows: One row per plane and node, planes outermost, then rows, then columns; what a sample's lookups sum to is the
            first decoder layer's output, bias included.
        side: Nodes along one side of a plane.
    """

    rows: Float[Tensor, "batch node channel"]
    side: int

    def of_image(self, index: int) -> "NodeTable":
        """Returns the table of one image of the batch."""
        return NodeTable(self.rows[index : index + 1], self.side)


def plane_level(picture: Float[Tensor, "... height width"], factor: int) -> Float[Tensor, "... smaller_height smaller_width"]:
    """Shrinks pictures of features bilinearly, antialiased: the levels of the tri-planes."""
    if factor == 1:
        return picture
    flat = picture.reshape(1, -1, *picture.shape[-2:])
    smaller = F.interpolate(flat, scale_factor=1 / factor, mode="bilinear", antialias=True)
    return smaller.reshape(*picture.shape[:-2], *smaller.shape[-2:])


def _shrinking(resolution: int, factor: int) -> Axis:
    """The matrix by which one axis of a plane shrinks."""
    unit = torch.eye(resolution)[None, None]
    size = (resolution // factor, resolution)
    return F.interpolate(unit, size=size, mode="bilinear", antialias=True)[0, 0] if factor > 1 else unit[0, 0]


def _to_nodes(resolution: int, factor: int) -> Axis:
    """The matrix that evaluates one axis of a level, zeros outside, at all nodes."""
    side = resolution // factor
    padded = F.pad(torch.eye(side), (0, 0, 1, 1))[None, None]
    size = (2 * factor * (side + 1) + 1, side)
    nodes = F.interpolate(padded, size=size, mode="bilinear", align_corners=True)[0, 0]
    return F.pad(nodes, (0, 0, BORDER_NODES - factor, BORDER_NODES - factor))


@dataclass(frozen=True)
class Spreading:
    """The matrices by which pictures become nodes.

    Attributes:
        shrink: Rows of the picture to those of the smaller levels, which stand below each other.
        horizontal: Columns of the picture to columns of nodes, for each level.
        vertical: Rows of all levels, the picture's own first, to rows of nodes.
        heights: Rows of each level.
    """

    shrink: Axis
    horizontal: tuple[Axis, ...]
    vertical: Axis
    heights: list[int]

    def space(self, picture: Picture) -> Float[Tensor, "rows columns channel"]:
        """Returns memory for the rows of all levels, spread over columns; one for all pictures, because fresh memory is dear."""
        return picture.new_empty((sum(self.heights), self.vertical.shape[0], picture.shape[2]))

    def nodes(self, picture: Picture, space: Tensor, out: Tensor) -> None:
        """Writes the nodes of one picture."""
        shrunk = (self.shrink @ picture.flatten(1)).reshape(-1, *picture.shape[1:])
        levels = (picture, *torch.split(shrunk, self.heights[1:]))
        for matrix, level, spread in zip(self.horizontal, levels, torch.split(space, self.heights), strict=True):
            torch.matmul(matrix, level, out=spread)
        torch.mm(self.vertical, space.flatten(1), out=out)

    def transposed(self, gradient: Tensor, space: Tensor, out: Picture) -> None:
        """Writes the gradient of one picture."""
        torch.mm(self.vertical.t(), gradient, out=space.flatten(1))
        first, *smaller = torch.split(space, self.heights)
        torch.matmul(self.horizontal[0].t(), first, out=out)
        shrunk = torch.cat([matrix.t() @ level for matrix, level in zip(self.horizontal[1:], smaller, strict=True)])
        out.flatten(1).addmm_(self.shrink.t(), shrunk.flatten(1))


class Nodes(torch.autograd.Function):
    """The nodes of pictures, picture by picture; a bias is added to those of every image's first picture."""

    @staticmethod
    def forward(
        ctx: Any, pictures: Pictures, bias: Float[Tensor, "channel"], planes: int, spreading: Spreading
    ) -> Float[Tensor, "picture rows columns"]:
        """Spreads each picture."""
        ctx.shape, ctx.planes, ctx.spreading = pictures.shape, planes, spreading
        side, space = spreading.vertical.shape[0], spreading.space(pictures[0])
        nodes = pictures.new_empty((len(pictures), side, side * pictures.shape[3]))
        for number, picture in enumerate(pictures):
            spreading.nodes(picture, space, nodes[number])
        nodes.view(len(pictures), side, side, -1)[::planes].add_(bias)
        return nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "picture rows columns"]) -> tuple[Tensor, Tensor, None, None]:
        """Reads the same matrices backwards."""
        spreading, out = ctx.spreading, gradient.new_empty(ctx.shape)
        space = spreading.space(out[0])
        for number, one in enumerate(gradient):
            spreading.transposed(one, space, out[number])
        return out, gradient[:: ctx.planes].sum(dim=(0, 1)).reshape(gradient.shape[1], -1).sum(dim=0), None, None


class NodeTableBuilder(nn.Module):
    """Builds node tables of planes of one resolution.

    Args:
        resolution: Side of the planes, pixels; divisible by 4.
    """

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.side = 2 * resolution + 2 * BORDER_NODES + 1
        shrink = [_shrinking(resolution, factor) for factor in LEVEL_FACTORS]
        expand = [_to_nodes(resolution, factor) for factor in LEVEL_FACTORS]
        self.register_buffer("_vertical", torch.cat(expand, dim=1), persistent=False)
        self.register_buffer("_shrink", torch.cat(shrink[1:]), persistent=False)
        self.register_buffer("_horizontal", torch.cat([h @ s for h, s in zip(expand, shrink, strict=True)]), persistent=False)
        self._vertical: Tensor
        self._shrink: Tensor
        self._horizontal: Tensor
        self._heights = [resolution // factor for factor in LEVEL_FACTORS]

    def forward(
        self,
        planes: Float[Tensor, "batch plane features height width"],
        weight: Float[Tensor, "channel features"],
        bias: Float[Tensor, "channel"],
    ) -> NodeTable:
        """Builds the table.

        Args:
            planes: The distinct planes of a layout.
            weight: First decoder layer, already divided by the number of planes that are averaged.
            bias: Its bias; counted once, on the first plane.
        """
        batch, count = planes.shape[:2]
        channels = len(bias)
        folded = torch.einsum("bpfhw,cf->bphwc", planes, weight).flatten(0, 1)
        spreading = Spreading(self._shrink, torch.split(self._horizontal, self.side), self._vertical, self._heights)
        nodes: Tensor = Nodes.apply(folded, bias, count, spreading)
        return NodeTable(nodes.reshape(batch, count * self.side**2, channels), self.side)
