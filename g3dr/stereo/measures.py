"""How unlike two windows are: L1, L2 and cosine, as the report compares them, and the cosine of what is left without the mean.

Every function takes the overlapping parts of two pictures, already laid over each other, and returns one cost a pixel, lower for
windows that are more alike. Windows that reach over the border count what lies inside.

Shape legend: channel, height, width.
"""

from collections.abc import Callable
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

Measure = Literal["l1", "l2", "cosine", "zero_mean_cosine"]
Planes = Float[Tensor, "channel height width"]
Cost = Float[Tensor, "height width"]

MEASURES: tuple[Measure, ...] = ("l1", "l2", "cosine", "zero_mean_cosine")
PUBLISHED: tuple[Measure, ...] = ("l1", "l2", "cosine")
"""Those that the report compares."""

# The square of a quarter of a level of 8 bits, and what rounding leaves of nothing: windows without contrast (or light) are like nothing.
_FAINT = 1e-6


def title(measure: Measure) -> str:
    """Returns what people call a measure."""
    return {"l1": "L1", "l2": "L2", "cosine": "cosine", "zero_mean_cosine": "zero-mean cosine"}[measure]


def window_mean(planes: Planes, window: int) -> Planes:
    """Returns the mean over the square window around each pixel, of the pixels that lie in the picture.

    Args:
        planes: Any values.
        window: Side, pixels; odd.
    """
    # Two passes cost 2 x window additions a pixel, one would cost window^2.
    rows = avg_pool2d(planes[None], (window, 1), 1, (window // 2, 0), count_include_pad=False)
    return avg_pool2d(rows, (1, window), 1, (0, window // 2), count_include_pad=False)[0]


def l1_cost(left: Planes, right: Planes, window: int) -> Cost:
    """Returns the mean absolute difference, summed over channels."""
    return window_mean((left - right).abs().sum(0, keepdim=True), window)[0]


def l2_cost(left: Planes, right: Planes, window: int) -> Cost:
    """Returns the mean squared difference, summed over channels; the same order as the Euclidean distance of the windows."""
    return window_mean((left - right).square().sum(0, keepdim=True), window)[0]


def cosine_cost(left: Planes, right: Planes, window: int) -> Cost:
    """Returns 1 minus the cosine between the windows as vectors; 1 where one of them is black.

    A gain of one picture changes nothing, an added constant does.
    """
    return _one_minus_cosine(*_products(left, right, window))


def zero_mean_cosine_cost(left: Planes, right: Planes, window: int) -> Cost:
    """Returns 1 minus the cosine of the windows without their mean colours (ZNCC); 1 where one of them is flat.

    Neither gain nor an added constant changes anything. With a window of one pixel everything is flat.
    """
    dots, left_squares, right_squares = _products(left, right, window)
    left_mean, right_mean = window_mean(left, window), window_mean(right, window)
    return _one_minus_cosine(
        dots - (left_mean * right_mean).sum(0),
        left_squares - left_mean.square().sum(0),
        right_squares - right_mean.square().sum(0),
    )


def _products(left: Planes, right: Planes, window: int) -> tuple[Cost, Cost, Cost]:
    """Returns the window means of the products left x right, left x left and right x right, summed over channels."""
    pairs = ((left, right), (left, left), (right, right))
    dots, left_squares, right_squares = (window_mean((one * other).sum(0, keepdim=True), window)[0] for one, other in pairs)
    return dots, left_squares, right_squares


def _one_minus_cosine(dots: Cost, left_squares: Cost, right_squares: Cost) -> Cost:
    lengths = (left_squares.clamp(min=0) * right_squares.clamp(min=0)).sqrt()
    return 1 - (dots / lengths.clamp(min=_FAINT)).where(lengths > _FAINT, 0.0)


COSTS: dict[Measure, Callable[[Planes, Planes, int], Cost]] = {
    "l1": l1_cost,
    "l2": l2_cost,
    "cosine": cosine_cost,
    "zero_mean_cosine": zero_mean_cosine_cost,
}
"""The function of each measure."""
