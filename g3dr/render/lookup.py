"""Bilinear lookup in a node table, and its derivative without scattered additions.

A sample is the weighted sum of four rows per plane. Backward would add into shared rows from many samples; instead the
samples are sorted by their cell and summed in order, which gives the same bits on every run.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from g3dr.render.layouts import PlaneCoordinates
from g3dr.render.table import BORDER_NODES, NodeTable

Cells = Int[Tensor, "sample plane"]
CornerWeights = Float[Tensor, "sample plane 4"]
Rows = Float[Tensor, "_node channel"]


def locate(coordinates: PlaneCoordinates, side: int) -> tuple[Cells, CornerWeights]:
    """Returns the upper left node of each sample's cell (32-bit, counted over all images and planes) and the four corners' weights.

    Args:
        coordinates: Plane coordinates with axes batch, sample, plane, (column, row); outside [-1, 1] the table is zero.
        side: Nodes along one side of a plane.
    """
    batch, samples, planes = coordinates.shape[:3]
    half = (side - 1) / 2
    position = (coordinates * (half - BORDER_NODES) + half).clamp(0.0, side - 1.0)
    corner = position.floor().clamp(max=side - 2.0)
    (column, row), (right, down) = corner.int().unbind(-1), (position - corner).unbind(-1)
    plane = torch.arange(batch * planes, device=coordinates.device, dtype=torch.int32).reshape(batch, 1, planes) * side**2
    left, up = 1 - right, 1 - down
    weights = torch.stack([left * up, right * up, left * down, right * down], dim=-1)
    return (plane + row * side + column).reshape(batch * samples, planes), weights.reshape(batch * samples, planes, 4)


class GatherSum(torch.autograd.Function):
    """The weighted sum of table rows over all corners and planes; differentiable in the rows only."""

    @staticmethod
    def forward(ctx: Any, rows: Rows, cells: Cells, weights: CornerWeights, side: int) -> Float[Tensor, "sample channel"]:
        """Sums four rows per plane for each sample."""
        ctx.save_for_backward(cells, weights)
        ctx.side, ctx.nodes = side, len(rows)
        corners = torch.tensor([0, 1, side, side + 1], device=cells.device, dtype=torch.int32)
        index = (cells[..., None] + corners).flatten(1)
        return F.embedding_bag(index, rows, mode="sum", per_sample_weights=weights.flatten(1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "sample channel"]) -> tuple[Rows, None, None, None]:
        """Sums the samples of each cell per corner, then shifts the four sums to their nodes."""
        cells, weights = ctx.saved_tensors
        ordered, order = torch.sort(cells.flatten(), stable=True)
        starts = torch.searchsorted(ordered, torch.arange(ctx.nodes, device=cells.device, dtype=cells.dtype))
        samples, gradient = order // cells.shape[1], gradient.contiguous()
        corners = weights.flatten(0, 1).t().index_select(1, order)

        def summed(corner: int) -> Tensor:
            return F.embedding_bag(samples, gradient, starts, mode="sum", per_sample_weights=corners[corner])

        total = summed(0)
        for corner, shift in ((1, 1), (2, ctx.side), (3, ctx.side + 1)):
            total[shift:] += summed(corner)[: ctx.nodes - shift]
        return total, None, None, None


def look_up(table: NodeTable, coordinates: Float[Tensor, "batch sample plane 2"]) -> Float[Tensor, "batch sample channel"]:
    """Returns the first decoder layer's output at samples given by their coordinates on the distinct planes."""
    cells, weights = locate(coordinates, table.side)
    sums: Tensor = GatherSum.apply(table.rows.flatten(0, 1), cells, weights, table.side)
    return sums.reshape(*coordinates.shape[:2], -1)
