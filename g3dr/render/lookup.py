"""Bilinear lookup in a node table: a sample is the weighted sum of four rows per plane.

The derivative needs no scattered additions: samples are sorted by their cell and summed in order, which gives the same bits
on every run. Shape legend: a row of the table is a node, counted over the planes of one image.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float, Int
from torch import Tensor

from g3dr.render.layouts import AxisCoordinates
from g3dr.render.table import BORDER_NODES

SAMPLES_AT_ONCE = 2**13  # samples whose gradients are summed at once: they stay in a CPU's cache

Rows = Float[Tensor, "node channel"]
AllRows = Float[Tensor, "batch node channel"]
Coordinates = Float[Tensor, "axis batch sample"]
Looked = Float[Tensor, "sample channel"]


@dataclass(frozen=True)
class Location:
    """Where samples lie in a table.

    Attributes:
        cells: The upper left node of each sample's cell, 32-bit.
        weights: Of the four corners: upper left, upper right, lower left, lower right.
        side: Nodes along one side of a plane.
    """

    cells: Int[Tensor, "sample plane"]
    weights: Float[Tensor, "sample plane 4"]
    side: int

    @property
    def shifts(self) -> tuple[int, int, int, int]:
        """How many nodes after the upper left one the corners stand."""
        return 0, 1, self.side, self.side + 1

    def nodes(self) -> Int[Tensor, "sample corner"]:
        """Returns the nodes of all corners, plane by plane."""
        shifts = torch.tensor(self.shifts, device=self.cells.device, dtype=torch.int32)
        return (self.cells[..., None] + shifts).flatten(1)


def locate(coordinates: AxisCoordinates, pairs: tuple[tuple[int, int], ...], side: int) -> Location:
    """Returns the cells of samples and their corners' weights.

    Args:
        coordinates: Axes axis, sample; in [-1, 1] inside of the planes, the table is zero further out.
        pairs: Which axes are column and row of each plane.
        side: Nodes along one side of a plane.
    """
    half, samples = (side - 1) / 2, coordinates.shape[1]
    position = (coordinates * (half - BORDER_NODES)).add_(half).clamp_(0.0, side - 1.0)
    corner = position.floor().clamp_(max=side - 2.0)
    far = position.sub_(corner)
    parts, corner = (1 - far, far), corner.int()
    cells = coordinates.new_empty((samples, len(pairs)), dtype=torch.int32)
    weights = coordinates.new_empty((samples, len(pairs), 4))
    for plane, (column, row) in enumerate(pairs):
        torch.add(corner[column] + plane * side**2, corner[row], alpha=side, out=cells[:, plane])
        for place in range(4):
            torch.mul(parts[place // 2][row], parts[place % 2][column], out=weights[:, plane, place])
    return Location(cells, weights, side)


@dataclass(frozen=True)
class Places:
    """The samples of a batch of images on their planes.

    Attributes:
        coordinates: In [-1, 1] inside of the planes.
        pairs: Which axes are column and row of each plane.
        side: Nodes along one side of a plane.
    """

    coordinates: Coordinates
    pairs: tuple[tuple[int, int], ...]
    side: int

    @property
    def count(self) -> int:
        """Number of samples of each image."""
        return self.coordinates.shape[2]

    def located(self, image: int, block: slice) -> Location:
        """Returns cells and weights of some samples of one image."""
        return locate(self.coordinates[:, image, block], self.pairs, self.side)


def look_up(rows: Rows, nodes: Int[Tensor, "sample corner"], weights: Float[Tensor, "sample corner"]) -> Looked:
    """Returns the weighted sums of rows, corners and planes together."""
    return F.embedding_bag(nodes, rows, mode="sum", per_sample_weights=weights)


def add_transposed(total: Rows, gradient: Looked, location: Location) -> None:
    """Adds to `total` the gradient of the rows: that of `look_up`, read backwards.

    Args:
        total: One image's rows; is changed.
        gradient: Of the looked-up sums.
        location: Of the samples.
    """
    planes = torch.split(total, location.side**2)
    for plane, nodes in enumerate(planes):
        _add_plane(nodes, gradient, location.cells[:, plane] - plane * location.side**2, location.weights[:, plane], location.shifts)


def _add_plane(
    total: Rows,
    gradient: Looked,
    cells: Int[Tensor, "sample"],
    weights: Float[Tensor, "sample 4"],
    shifts: tuple[int, int, int, int],
) -> None:
    """Sorts samples by cell, so that each corner of a range of cells is one sum over neighbours in the sorted list."""
    order = torch.argsort(cells, stable=True)
    counts = torch.bincount(cells, minlength=len(total))
    starts = F.pad(counts.cumsum(dim=0), (1, 0))
    corners = weights.index_select(0, order).t().contiguous()
    for first, last, begin, end in _ranges(starts, _cells_at_once(total, len(cells), side=shifts[2])):
        offsets = starts[first:last] - begin
        for shift, corner in zip(shifts, corners[:, begin:end], strict=True):
            sums = F.embedding_bag(order[begin:end], gradient, offsets, mode="sum", per_sample_weights=corner)
            kept = min(last - first, len(total) - first - shift)  # the last nodes have no neighbours, and no samples
            total[first + shift : first + shift + kept] += sums[:kept]


def _cells_at_once(total: Rows, samples: int, side: int) -> int:
    """Returns how many cells hold about `SAMPLES_AT_ONCE` samples, in whole rows; all of them on a GPU."""
    if total.device.type != "cpu":
        return len(total)
    return side * max(1, round(SAMPLES_AT_ONCE * side / max(samples, 1)))


def _ranges(starts: Int[Tensor, "node"], step: int) -> list[tuple[int, int, int, int]]:
    """Returns ranges of cells that hold samples: first and last cell, begin and end in the sorted list."""
    borders = torch.arange(0, len(starts) - 1 + step, step, device=starts.device).clamp(max=len(starts) - 1)
    cells, places = borders.tolist(), starts[borders].tolist()
    ranges = zip(cells, cells[1:], places, places[1:], strict=False)
    return [(first, last, begin, end) for first, last, begin, end in ranges if begin < end]
