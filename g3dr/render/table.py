"""The node table: tri-planes in the form in which they are cheapest to look up. Exact, not an approximation.

Three levels of each plane (full, half, quarter resolution) are sampled bilinearly with zeros outside and summed [P]. All
breakpoints of the three lie on one grid of spacing 1 / (2 P), so the sum is a single bilinear lookup between 2 P + 9 nodes a
side. The decoder's first layer is linear and commutes with interpolation, so it is applied to the planes once instead of to
every sample. The sum of levels is separable: a small matrix per level and axis, hence no scattered writes in the backward pass.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn

LEVEL_FACTORS = (1, 2, 4)
BORDER_NODES = 4  # nodes outside the planes on each side: the reach of the coarsest level

Axis = Float[Tensor, "outputs inputs"]


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
        # The last column carries the decoder's bias through the same matrix product.
        vertical = torch.cat([*expand, torch.ones(self.side, 1)], dim=1)
        self.register_buffer("_vertical", vertical, persistent=False)
        self.register_buffer("_shrink", torch.cat(shrink), persistent=False)
        self.register_buffer("_horizontal", torch.cat([h @ s for h, s in zip(expand, shrink, strict=True)]), persistent=False)
        self._vertical: Tensor
        self._shrink: Tensor
        self._horizontal: Tensor
        self._sizes = [resolution // factor for factor in LEVEL_FACTORS]

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
        folded = torch.einsum("bpfhw,cf->bphwc", planes, weight)
        levels = self._spread_columns(folded.reshape(batch * count, *folded.shape[2:4], channels))
        nodes = self._vertical @ torch.cat([levels, self._bias_row(bias, batch, count)], dim=1)
        return NodeTable(nodes.reshape(batch, count * self.side**2, channels), self.side)

    def _spread_columns(self, folded: Float[Tensor, "picture height width channel"]) -> Float[Tensor, "picture rows columns"]:
        """Shrinks rows to each level and spreads columns to the nodes; the levels' rows stand below each other."""
        pictures, _, width, channels = folded.shape
        shrunk = (self._shrink @ folded.flatten(2)).reshape(pictures, -1, width, channels)
        expand = torch.split(self._horizontal, self.side)
        return torch.cat(
            [matrix @ level for matrix, level in zip(expand, torch.split(shrunk, self._sizes, dim=1), strict=True)], dim=1
        ).flatten(2)

    def _bias_row(self, bias: Float[Tensor, "channel"], batch: int, count: int) -> Float[Tensor, "picture 1 columns"]:
        first = F.pad(bias.repeat(self.side)[None], (0, 0, 0, count - 1))
        return first.repeat(batch, 1)[:, None]
