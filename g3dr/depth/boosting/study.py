"""What boosting does to the error of depth, where the truth is known: one size alone, a larger one alone, and what is made of both."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from g3dr.depth.boosting.estimator import BoostedEstimator
from g3dr.depth.boosting.known_error import KnownError, KnownErrorEstimator
from g3dr.depth.boosting.merging import fitted
from g3dr.depth.boosting.options import BoostOptions, ScalableEstimator
from g3dr.depth.boosting.scenes import NEAR_PIXELS, Scene, Truth, discontinuities, make_scene, near_edges
from g3dr.depth.estimator import DepthEstimator, Picture
from g3dr.errors import ConfigError

ORDERED = 0.05
"""Points whose disparities differ by less count as equally far."""

USUAL, LARGER, WITHOUT_PATCHES, BOOSTED = "usual size", "three times as large", "boosted, no patches", "boosted"
VARIANTS = (USUAL, LARGER, WITHOUT_PATCHES, BOOSTED)
MEASURES = ("everywhere", "near edges", "wrong order")
SMALLEST_SIDE, LARGEST_SIDE = 128, 2048
_TIMES = 3

Advance = Callable[[int, int], None]

Errors = Mapping[str, Sequence[Mapping[str, float]]]
"""Each variant's errors and seconds, one entry a picture."""


@dataclass(frozen=True)
class StudyOptions:
    """What is measured.

    Attributes:
        pictures: How many.
        resolution: Their side, pixels.
        seed: Of the animals and of the noise.
    """

    pictures: int = 16
    resolution: int = 512
    seed: int = 100

    def __post_init__(self) -> None:
        for name, good, allowed in (
            ("pictures", self.pictures >= 1, "1 or more"),
            ("resolution", SMALLEST_SIDE <= self.resolution <= LARGEST_SIDE, f"{SMALLEST_SIDE} to {LARGEST_SIDE} pixels"),
            ("seed", self.seed >= 0, "0 or more"),
        ):
            if not good:
                raise ConfigError(f"--{name}", getattr(self, name), allowed)

    def scenes(self, advance: Advance = lambda *_: None) -> dict[str, Scene]:
        """Draws the pictures; `advance` is called with those that are done, and all of them."""
        found = {}
        for number in range(self.pictures):
            advance(number, self.pictures)
            found[f"{number}"] = make_scene(number, self.resolution, self.seed)
        advance(self.pictures, self.pictures)
        return found


@dataclass(frozen=True)
class StudyResult:
    """What one estimator's variants came to.

    Attributes:
        identity: What determines the estimator's maps.
        errors: See `Errors`.
        maps: Disparity in the truth's scale and shift, of the first pictures: key, variant, map.
    """

    identity: Mapping[str, Any]
    errors: Errors
    maps: Mapping[str, Mapping[str, Truth]] = field(default_factory=dict)


def known_estimator(scenes: Mapping[str, Scene]) -> KnownErrorEstimator:
    """Returns an estimator whose errors are known, for these pictures."""
    return KnownErrorEstimator(scenes, KnownError())


def shipped_estimator() -> ScalableEstimator:
    """Returns the network that comes with this program."""
    from g3dr.depth.trained import NetworkEstimator  # noqa: PLC0415  (brings torch)

    return NetworkEstimator.shipped()


def variants_of(estimator: ScalableEstimator) -> dict[str, DepthEstimator]:
    """Returns what is compared: one size alone, a larger one alone, and what boosting makes of both, with and without patches."""
    return {
        USUAL: estimator,
        LARGER: estimator.at(_TIMES * estimator.side),
        WITHOUT_PATCHES: BoostedEstimator(estimator, BoostOptions(patches=0)),
        BOOSTED: BoostedEstimator(estimator),
    }


def measure(estimator: ScalableEstimator, scenes: Mapping[str, Scene], advance: Advance, keep: int = 0) -> StudyResult:
    """Measures the variants of an estimator.

    Args:
        estimator: Whose.
        scenes: The pictures by key.
        advance: Called with the maps that are done, and all of them.
        keep: Pictures of which the maps are kept, the first ones.
    """
    variants, kept = variants_of(estimator), list(scenes)[:keep]
    maps: dict[str, dict[str, Truth]] = {key: {} for key in kept}
    total, done = len(variants) * len(scenes), 0

    def seen(key: str, name: str, values: Truth) -> None:
        nonlocal done
        done += 1
        advance(done, total)
        if key in maps:
            maps[key][name] = fitted(values, scenes[key].truth)

    advance(0, total)
    return StudyResult(estimator.identity(), compare(variants, scenes, seen), maps)


def compare(
    variants: Mapping[str, DepthEstimator], scenes: Mapping[str, Scene], seen: Callable[[str, str, Truth], None]
) -> dict[str, list[dict[str, float]]]:
    """Returns the errors and seconds of each estimator, one entry a scene.

    Args:
        variants: The estimators by name.
        scenes: The pictures by key.
        seen: Called with the picture's key, the estimator's name and its map.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    for key, (rgb, truth) in scenes.items():
        for name, estimator in variants.items():
            start = time.perf_counter()
            [values] = estimator.estimate([Picture(key, rgb)])
            seconds = time.perf_counter() - start
            disparity = values.astype(np.float64)
            found[name].append({**errors(disparity, truth), "seconds": seconds})
            seen(key, name, disparity)
    return found


def errors(values: Truth, truth: Truth) -> dict[str, float]:
    """Returns the error of a map everywhere, near discontinuities, and of the order of points across them; `MEASURES` names them."""
    disparity, near = fitted(values, truth), near_edges(truth)
    squares = (disparity - truth) ** 2
    found = (float(np.sqrt(squares.mean())), float(np.sqrt(squares[near].mean())), _wrong_order(disparity, truth, discontinuities(truth)))
    return dict(zip(MEASURES, found, strict=True))


def _wrong_order(values: Truth, truth: Truth, jumps: Bool[np.ndarray, "height width"]) -> float:
    """Returns the share of pairs of points on both sides of a discontinuity whose order is wrong [D3R, after the paper's section 6]."""
    rows, columns = np.nonzero(jumps)
    wrong, pairs = 0, 0
    for down, across in ((NEAR_PIXELS, 0), (0, NEAR_PIXELS)):
        inside = (rows >= down) & (columns >= across) & (rows + down < truth.shape[0]) & (columns + across < truth.shape[1])
        one, other = ((rows[inside] + sign * down, columns[inside] + sign * across) for sign in (-1, 1))
        true_order, order = (_order(array[one] - array[other]) for array in (truth, values))
        counted = true_order != 0
        wrong, pairs = wrong + int((order != true_order)[counted].sum()), pairs + int(counted.sum())
    return wrong / max(1, pairs)


def _order(difference: Float64[np.ndarray, "pair"]) -> Float64[np.ndarray, "pair"]:
    return np.asarray(np.sign(difference) * (np.abs(difference) > ORDERED))
