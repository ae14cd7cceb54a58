"""Minimal filtering algorithms: convolutions of small tiles with fewer products (Toom and Cook; Winograd 1980; Lavin and Gray 2016).

A window of the input, a filter and a tile of the output are polynomials. Their values at a few points, multiplied point by point,
determine the product. With the points 0, 1, -1 and infinity that is Winograd's F(2x2, 3x3); with i and -i besides, whose factors
are as harmless, F(4x4, 3x3) loses no accuracy to the larger tile (Meng and Brothers 2019). Values at conjugate points are
conjugates, and a product of complex numbers takes three real ones (Karatsuba), so all matrices here are real.
"""

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import torch
from jaxtyping import Complex128, Float
from torch import Tensor

INFINITY = math.inf

Point = complex | float
Matrix = Complex128[Tensor, "to from"]


@dataclass(frozen=True, eq=False)
class Filtering:
    """A bilinear algorithm that makes a tile of the output from a window of the input, both flattened row by row.

    Attributes:
        taps: Side of the filter.
        stride: Pixels of the input from one window to the next, along each axis.
        from_window: What of a window is multiplied; from_window.shape[0] is the number of products.
        from_filter: What of a filter is multiplied.
        to_tile: Sums the products.
    """

    taps: int
    stride: int
    from_window: Float[Tensor, "products window_pixels"]
    from_filter: Float[Tensor, "products filter_pixels"]
    to_tile: Float[Tensor, "tile_pixels products"]

    @cached_property
    def products(self) -> int:
        """How many multiplications a tile takes, for each pair of channels."""
        return len(self.from_window)

    @cached_property
    def window(self) -> int:
        """Side of a window, pixels of the input."""
        return math.isqrt(self.from_window.shape[1])

    @cached_property
    def tile(self) -> int:
        """Side of a tile, pixels of the output."""
        return math.isqrt(len(self.to_tile))


def _values(points: Sequence[Point], coefficients: int) -> Matrix:
    """Returns the matrix that evaluates polynomials; the value at infinity is the last coefficient."""
    last = [0.0] * (coefficients - 1) + [1.0]
    rows = [last if point == INFINITY else [point**power for power in range(coefficients)] for point in points]
    return torch.tensor(rows, dtype=torch.complex128, device="cpu")


def _is_above(row: Point, column: Point) -> bool:
    """Returns whether a pair of complex points is the one to compute; that of the conjugates follows from it."""
    return (row.imag or column.imag) > 0


def toom_cook(points: Sequence[Point], taps: int) -> Filtering:
    """Returns the algorithm that evaluates along rows and columns at `points`.

    Args:
        points: As many as a window has pixels along an axis; complex ones with their conjugates.
        taps: Side of the filter.
    """
    size = len(points)
    tile = size - taps + 1
    one_axis = torch.linalg.inv(_values(points, size)).T, _values(points, taps), _values(points, tile)
    window, filters, tiles = (torch.kron(matrix, matrix) for matrix in one_axis)
    rows = list[tuple[Tensor, Tensor, Tensor]]()
    for number, (row, column) in enumerate(product(points, points)):
        values = window[number], filters[number], tiles[number]
        if not row.imag and not column.imag:
            rows.append((values[0].real, values[1].real, values[2].real))
        elif _is_above(row, column):
            rows.extend(_three_products(*values))
    from_window, from_filter, from_tile = (torch.stack(column).float() for column in zip(*rows, strict=True))
    return Filtering(taps, tile, from_window, from_filter, from_tile.T.contiguous())


def _three_products(window: Tensor, filters: Tensor, tile: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Returns twice the real part of window * filters * tile, which stands for a pair of conjugate points, as three real products."""
    return [
        (window.real, filters.real + filters.imag, 2 * (tile.real - tile.imag)),
        (window.imag - window.real, filters.real, -2 * tile.imag),
        (window.real + window.imag, filters.imag, -2 * tile.real),
    ]


def _upsampling() -> Filtering:
    """Returns the algorithm of nearest-neighbour doubling with a 3x3 convolution behind it.

    A pixel x with neighbours w and y becomes two: a w + (b + c) x and (a + b) x + c y. With s = a + b + c these are
    a (w - x) + s x and s x + c (y - x): three products.
    """
    axes = (
        ((1.0, -1.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 1.0)),
        ((1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
        ((1.0, 1.0, 0.0), (0.0, 1.0, 1.0)),
    )
    from_window, from_filter, to_tile = (torch.kron(one, one) for one in (torch.tensor(axis, device="cpu") for axis in axes))
    return Filtering(3, 1, from_window, from_filter, to_tile)


def _unit_roots(count: int) -> list[Point]:
    """Returns the roots of z^count = 1 for an even count: 1, -1, and pairs of conjugates."""
    above = [cmath.rect(1.0, 2 * math.pi * number / count) for number in range(1, count // 2)]
    return [1.0, -1.0, *above, *(root.conjugate() for root in above)]


SMALL_TILES = toom_cook((0.0, 1.0, -1.0, INFINITY), taps=3)  # 2x2 pixels of the output: 4 products a pixel instead of 9
LARGE_TILES = toom_cook((0.0, 1.0, -1.0, 1j, -1j, INFINITY), taps=3)  # 4x4 pixels: 2.9 products a pixel
WIDE_FILTERS = toom_cook((0.0, INFINITY, *_unit_roots(12)), taps=7)  # 8x8 pixels: 4.5 products a pixel instead of 49
UPSAMPLING = _upsampling()  # 2x2 pixels: 2.25 products a pixel
