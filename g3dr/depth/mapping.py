"""From an estimator's numbers to this project's depth: the distance along the ray, world units in [4, 6).

What a single picture cannot tell must be chosen, and is chosen here, once, for every estimator:

- The nearest thing touches the front of the box (4) and the farthest its back, as in the maps of the method's authors: the background
  becomes a wall inside of the box. Nearest and farthest are percentiles, so that a few wild pixels move nothing; they are
  taken within the middle square, which is all that training sees.
- Between the two it is the inverse of the planar depth that is stretched, not the depth. A disparity map is known up to scale and
  shift, and putting its ends to the inverse depths of the box's front and back settles both. The map from one disparity to
  another is a projective map of space along the rays: planes stay planes and the ground stays flat, whatever the scale and shift
  really were. A stretch of the depth itself bends them. Near things also keep the larger part of the range: a disparity half-way
  between the ends comes to stand at 4.75, where a stretch would put it at 4.93.
- Planar depth becomes distance along the rays of the method's camera: 18 degrees between the middles of opposite border pixels.
  The farthest plane stands where its corners still are in the range, at 5.85, so that no order is lost there.

Estimators that give depth up to scale and shift say nothing about its inverse; their depth itself is stretched.
"""

import math

import numpy as np
from jaxtyping import Float, Float64, Num

from g3dr.depth.estimator import Measure
from g3dr.errors import DataError
from g3dr.pictures import DEPTH_LEVELS, DEPTH_NEAR, DEPTH_RANGE
from g3dr.procedural.camera import FIELD_OF_VIEW

TAIL = 0.001
"""Part of the pixels that may lie before the nearest, and behind the farthest thing."""

MAPPING_VERSION = 1
"""Is raised with every change of meaning here, so that a dataset made by the old one is not taken for a new one's."""

_NEAR, _FAR = DEPTH_NEAR, DEPTH_NEAR + DEPTH_RANGE * (DEPTH_LEVELS - 1) / DEPTH_LEVELS
_HALF_WIDTH = math.tan(FIELD_OF_VIEW / 2)
FARTHEST_PLANE = _FAR / math.sqrt(1 + 2 * _HALF_WIDTH**2)
"""Planar depth of the back wall, world units: in the corners of the picture its distance is the largest that a file can hold."""

_FLAT = 1e-6


def ray_lengths(height: int, width: int) -> Float64[np.ndarray, "height width"]:
    """Returns the distance along each pixel's ray to the plane at depth 1; the field of view spans the middle square."""
    side = min(height, width)
    down, across = ((np.arange(size) - (size - side) // 2) * 2 / max(1, side - 1) - 1 for size in (height, width))
    if side == 1:
        down, across = np.zeros(height), np.zeros(width)
    return np.asarray(np.sqrt(1 + _HALF_WIDTH**2 * (down[:, None] ** 2 + across**2)))


def to_distance(values: Num[np.ndarray, "height width"], measure: Measure, tail: float = TAIL) -> Float64[np.ndarray, "height width"]:
    """Maps an estimator's values to distances along the ray, as the head of this module says; near stays near.

    Args:
        values: The raw map.
        measure: What its values mean.
        tail: Part of the pixels that is cut off at each end, 0 to less than 0.5.

    Returns:
        World units in [4, 6); distances in world units come back as they are.

    Raises:
        DataError: Values that are not finite, are the same everywhere, or are no depths (0 or less).
    """
    if not np.isfinite(values).all():
        raise DataError("the estimated depth holds values that are not finite numbers")
    exact = values.astype(np.float64)
    if measure.quantity == "distance":
        return exact if measure.is_scaled else _between(exact, _ends(exact, tail), (_NEAR, _FAR))
    return np.asarray(_planar(exact, measure, tail) * ray_lengths(*values.shape))


def to_disparity(distance: Float[np.ndarray, "height width"]) -> Float64[np.ndarray, "height width"]:
    """Undoes `to_distance` of a disparity map: 1 at the nearest, 0 at the farthest thing.

    Args:
        distance: Along the ray, world units.
    """
    disparity = ray_lengths(*distance.shape) / distance.astype(np.float64)
    return np.asarray((disparity - 1 / FARTHEST_PLANE) / (1 / _NEAR - 1 / FARTHEST_PLANE))


def _planar(values: Float64[np.ndarray, "height width"], measure: Measure, tail: float) -> Float64[np.ndarray, "height width"]:
    low, high = _ends(values, tail)
    if measure.quantity == "disparity":
        return 1 / _between(values, (low, high), (1 / FARTHEST_PLANE, 1 / _NEAR))
    if not measure.is_scaled:
        return _between(values, (low, high), (_NEAR, FARTHEST_PLANE))
    if low <= 0:
        raise DataError(f"the estimated depth goes down to {low:.3g}; depths are above 0")
    return 1 / _between(1 / values.clip(low, high), (1 / low, 1 / high), (1 / _NEAR, 1 / FARTHEST_PLANE))


def _ends(values: Float64[np.ndarray, "height width"], tail: float) -> tuple[float, float]:
    """Returns the values between which the map is stretched."""
    height, width = values.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    low, high = np.quantile(values[top : top + side, left : left + side], [tail, 1 - tail])
    if high - low <= _FLAT * max(abs(low), abs(high)):
        raise DataError(f"the estimated depth is the same everywhere ({low:.4g})")
    return float(low), float(high)


def _between(
    values: Float64[np.ndarray, "height width"], old: tuple[float, float], new: tuple[float, float]
) -> Float64[np.ndarray, "height width"]:
    """Moves values from one interval to another, ends to ends; what lies outside takes the nearer end."""
    part = ((values - old[0]) / (old[1] - old[0])).clip(0, 1)
    return np.asarray(new[0] + part * (new[1] - new[0]))
