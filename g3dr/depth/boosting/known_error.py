"""An estimator whose errors are known: it sees the truth as networks see depth, blurred where shown small and adrift where shown large."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy.ndimage import gaussian_filter, zoom

from g3dr.depth.boosting.edges import edge_distance, edge_map
from g3dr.depth.boosting.scenes import Scene
from g3dr.depth.estimator import Measure, Picture
from g3dr.errors import DataError


@dataclass(frozen=True)
class KnownError:
    """What is wrong with the estimates.

    Attributes:
        native_side: Side of the receptive field, pixels of the input.
        blur: Standard deviation of the blur of the maps, pixels of the input: networks give maps coarser than what they see.
        drift: Standard deviation of the error of a map that is shown far larger than the receptive field, as part of the truth's.
        lost: How many times the drift is larger where no edge lies within the receptive field.
    """

    native_side: int = 96
    blur: float = 1.0
    drift: float = 0.5
    lost: float = 3.0


class KnownErrorEstimator:
    """Estimates disparity of pictures whose truth it was given, and of any part of them.

    Args:
        truths: Picture and true disparity by key.
        error: What is wrong with the estimates.
        side: Shorter side at which pictures are looked at, pixels; None for the receptive field's.
    """

    def __init__(self, truths: Mapping[str, Scene], error: KnownError, side: int | None = None) -> None:
        self._truths, self._error = truths, error
        self.side = side or error.native_side

    @property
    def measure(self) -> Measure:
        """See `DepthEstimator`."""
        return Measure("disparity", is_scaled=False)

    def identity(self) -> Mapping[str, Any]:
        """See `DepthEstimator`."""
        return {"name": "known_error", "side": self.side, **asdict(self._error)}

    def at(self, side: int) -> "KnownErrorEstimator":
        """See `ScalableEstimator`."""
        return KnownErrorEstimator(self._truths, self._error, side)

    def estimate(self, pictures: Sequence[Picture]) -> list[Float32[np.ndarray, "_height _width"]]:
        """See `DepthEstimator`."""
        return [self._one(picture, self.side).astype(np.float32) for picture in pictures]

    def _one(self, picture: Picture, side: int) -> Float64[np.ndarray, "height width"]:
        top, left, truth = self._found(picture)
        chance = np.random.default_rng([side, top, left, *truth.shape, *picture.key.encode()])
        shown = side / min(truth.shape)
        seen = gaussian_filter(truth, self._error.blur / shown)
        seen = _as_large(_as_large(seen, (max(1, round(truth.shape[0] * shown)), max(1, round(truth.shape[1] * shown)))), truth.shape)
        field = self._error.native_side / shown
        distance = edge_distance(edge_map(picture.rgb))
        drift = self._drift(chance, distance > field / 2, field) * max(0.0, 1 - self._error.native_side / side)
        # Of relative disparity neither scale nor shift is known; every estimate has its own.
        return np.asarray(chance.uniform(0.5, 2) * (seen + drift * truth.std()) + chance.uniform(-1, 1))

    def _drift(
        self, chance: np.random.Generator, lost: Bool[np.ndarray, "height width"], field: float
    ) -> Float64[np.ndarray, "height width"]:
        """Draws an error that is smooth over half a receptive field."""
        noise = gaussian_filter(chance.standard_normal(lost.shape), field / 2, mode="wrap")
        noise /= max(float(noise.std()), 1e-12)
        return np.asarray(self._error.drift * noise * (1 + (self._error.lost - 1) * gaussian_filter(lost.astype(np.float64), field / 8)))

    def _found(self, picture: Picture) -> tuple[int, int, Float64[np.ndarray, "height width"]]:
        """Returns where a part lies in its picture, by its pixels, and the truth there."""
        whole, truth = self._truths[picture.key]
        height, width = picture.rgb.shape[:2]
        place = whole.tobytes().find(picture.rgb[0].tobytes()) // 3
        top, left = divmod(place, whole.shape[1])
        if place < 0 or not np.array_equal(whole[top : top + height, left : left + width], picture.rgb):
            raise DataError("this is no part of a picture whose truth is known")
        return top, left, truth[top : top + height, left : left + width]


def _as_large(values: Float64[np.ndarray, "_h _w"], shape: tuple[int, ...]) -> Float64[np.ndarray, "_height _width"]:
    factors = tuple(new / old for new, old in zip(shape, values.shape, strict=True))
    return np.asarray(zoom(values, factors, order=1, mode="nearest", grid_mode=True))
