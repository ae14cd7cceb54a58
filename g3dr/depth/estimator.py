"""What a monocular depth estimator is to this project: pictures in, one map each out, and a word on what the numbers mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

Quantity = Literal["disparity", "depth", "distance"]


@dataclass(frozen=True)
class Measure:
    """What the values of a raw map mean.

    Attributes:
        quantity: `disparity` grows towards the camera and is the inverse of the planar depth; `depth` is planar, along the camera's
            axis; `distance` is along the ray of each pixel.
        is_scaled: Disparity and depth: the scale is unknown or not this world's, but zero is where it should be, so that
            `1 / depth` means something. Distance: in world units, ready to be written. Otherwise scale and shift are both unknown.
    """

    quantity: Quantity
    is_scaled: bool


@dataclass(frozen=True)
class Picture:
    """A picture to be estimated.

    Attributes:
        key: The row's key in its dataset; some estimators look things up by it.
        rgb: Red, green, blue; 0 to 255.
    """

    key: str
    rgb: UInt8[np.ndarray, "height width 3"]


@runtime_checkable
class DepthEstimator(Protocol):
    """Estimates depth from single pictures; made once per process, with its weights in memory."""

    @property
    def measure(self) -> Measure:
        """What the maps of `estimate` hold."""

    def identity(self) -> Mapping[str, Any]:
        """Returns what determines its maps, as JSON: its name and, of weights and files, a fingerprint instead of a place."""

    def estimate(self, pictures: Sequence[Picture]) -> list[Float[np.ndarray, "_height _width"]]:
        """Returns one map for each picture, of the picture's size.

        Raises:
            DataError: One of the pictures cannot be estimated; the caller asks again for each by itself.
        """
