"""Block matching of rectified pairs: for each pixel the disparity whose windows are most alike.

The pixel (x, y) of the left picture shows what the right one shows at (x - disparity, y). Costs are looked at disparity by disparity
and never kept, so memory does not grow with their number; large pictures go in bands of rows. The same costs serve both pictures:
what the right one finds for itself tells which pixels of the left one to believe.

Shape legend: channel, height, width.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from g3dr.errors import ConfigError, DataError
from g3dr.stereo.measures import COSTS, MEASURES, Measure, Planes

Plane = Float[Tensor, "height width"]

_BAND_PIXELS = 2**20
_LARGEST_WINDOW = 101
# Left and right may disagree by this and still be believed, pixels.
_AGREEMENT = 1


@dataclass(frozen=True)
class StereoOptions:
    """How pairs are matched.

    Attributes:
        measure: `l1`, `l2`, `cosine` or `zero_mean_cosine`.
        window: Side of the compared windows, pixels; odd, 1 to 101.
        least: Smallest disparity that is looked at, pixels.
        most: Largest one.
    """

    measure: Measure = "l1"
    window: int = 9
    least: int = 0
    most: int = 64

    def __post_init__(self) -> None:
        for name, valid, allowed in (
            ("measure", self.measure in MEASURES, ", ".join(MEASURES)),
            ("window", 1 <= self.window <= _LARGEST_WINDOW and self.window % 2 == 1, f"an odd number of 1 to {_LARGEST_WINDOW} pixels"),
            ("least", self.least >= 0, "0 pixels or more"),
            ("most", self.most > self.least, f"more than least, which is {self.least} pixels"),
        ):
            if not valid:
                raise ConfigError(f"stereo.{name}", getattr(self, name), allowed)


@dataclass(frozen=True)
class StereoMatch:
    """What was found.

    Attributes:
        disparity: Of each pixel of the left picture, pixels, between whole ones too; NaN where no allowed one stays in the picture.
        cost: Of the best whole disparity, in the measure's own unit; infinity where there is none.
        consistent: The right picture finds the same from its side, within one pixel. Hidden and ambiguous pixels mostly fail.
    """

    disparity: Plane
    cost: Plane
    consistent: Bool[Tensor, "height width"]


def match(
    left: Planes,
    right: Float[Tensor, "right_channel right_height right_width"],
    options: StereoOptions,
    progress: Callable[[int, int], None] | None = None,
    band_pixels: int = _BAND_PIXELS,
) -> StereoMatch:
    """Matches a rectified pair.

    Args:
        left: Any number of channels; the unit decides that of the costs of L1 and L2.
        right: Of the same size; the camera stood to the right of the left one's.
        options: Measure, window and disparities.
        progress: Called with the rows done and all rows, after each band.
        band_pixels: About as many pixels are worked on at once; changes no result.

    Raises:
        DataError: The pictures differ in size, or hold values that are not finite.
        ConfigError: The largest disparity leaves no pixel of the picture.
    """
    _check(left, right, options)
    height, width = left.shape[1:]
    rows = max(1, band_pixels // width)
    parts = []
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        parts.append(_match_rows(left, right, options, start, stop))
        if progress is not None:
            progress(stop, height)
    disparity, cost, consistent = (torch.cat(planes) for planes in zip(*parts, strict=True))
    return StereoMatch(disparity, cost, consistent)


def _check(left: Planes, right: Float[Tensor, "right_channel right_height right_width"], options: StereoOptions) -> None:
    if left.shape != right.shape:
        raise DataError(f"the pictures of a pair must have one size, got {_size(left)} on the left and {_size(right)} on the right")
    if not (left.isfinite().all() and right.isfinite().all()):
        raise DataError("the pictures of a pair hold values that are not finite")
    if options.most >= left.shape[2]:
        raise ConfigError("stereo.most", options.most, f"less than the pictures' width, which is {left.shape[2]} pixels")


def _size(planes: Planes) -> str:
    channels, height, width = planes.shape
    return f"{width} x {height} pixels of {channels} {'channel' if channels == 1 else 'channels'}"


def _match_rows(
    left: Planes, right: Planes, options: StereoOptions, start: int, stop: int
) -> tuple[Float[Tensor, "row width"], Float[Tensor, "row width"], Bool[Tensor, "row width"]]:
    """Returns disparity, cost and consistency of some rows; their windows reach into the rows around."""
    halo = options.window // 2
    top = max(0, start - halo)
    inside = slice(start - top, stop - top)
    found, others = _search(left[:, top : stop + halo], right[:, top : stop + halo], options, inside)
    return found.refined(), found.best, _consistent(found.index, others.index)


def _search(left: Planes, right: Planes, options: StereoOptions, inside: slice) -> "tuple[_Winners, _Winners]":
    """Looks at all disparities; returns the winners of the left and of the right picture's pixels in the rows `inside`."""
    width = left.shape[2]
    found, others = (_Winners(left[0, inside]) for _ in range(2))
    measure = COSTS[options.measure]
    for disparity in range(options.least, options.most + 1):
        cost = measure(left[..., disparity:], right[..., : width - disparity], options.window)[inside]
        found.offer(disparity, cost, slice(disparity, width))
        others.offer(disparity, cost, slice(0, width - disparity))
    return found, others


class _Winners:
    """The best disparity of each pixel so far, with the costs of the disparities beside it.

    Args:
        like: Of the size of the pixels.
    """

    def __init__(self, like: Plane) -> None:
        self.best, self._below, self._above, self._before = (torch.full_like(like, torch.inf) for _ in range(4))
        self.index = torch.full_like(like, -1, dtype=torch.int64)

    def offer(self, disparity: int, cost: Plane, columns: slice) -> None:
        """Compares the next disparity; of equal ones the smaller stays.

        Args:
            disparity: One more than the one offered before.
            cost: Its costs.
            columns: The pixels that have one.
        """
        full = torch.full_like(self.best, torch.inf)
        full[:, columns] = cost
        self._above = full.where(self.index == disparity - 1, self._above)
        better = full < self.best
        self._below = self._before.where(better, self._below)
        self._above = self._above.masked_fill(better, torch.inf)
        self.best = full.where(better, self.best)
        self.index = self.index.masked_fill(better, disparity)
        self._before = full

    def refined(self) -> Plane:
        """Returns the disparities at the lowest point of the parabola through each best cost and its two neighbours.

        Whole ones stay where a neighbour is missing or as good; NaN where there is none.
        """
        bend = self._below - 2 * self.best + self._above
        shift = (self._below - self._above) / (2 * bend)
        usable = torch.isfinite(shift) & (bend > 0)
        whole = self.index.to(self.best.dtype).masked_fill(self.index < 0, torch.nan)
        return whole + shift.where(usable, 0.0).clamp(-0.5, 0.5)


def _consistent(index: Int64[Tensor, "height width"], other: Int64[Tensor, "height width"]) -> Bool[Tensor, "height width"]:
    columns = torch.arange(index.shape[1], device=index.device)
    partners = other.gather(1, (columns - index).clamp(min=0))
    return (index >= 0) & ((partners - index).abs() <= _AGREEMENT)
