"""An estimator with the detail of a larger one: the same network, shown the picture at several sizes and its busy parts by themselves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from g3dr.depth.boosting.edges import edge_distance, edge_map, largest_side
from g3dr.depth.boosting.merging import Map, fitted, merged
from g3dr.depth.boosting.options import STEP, BoostOptions, ScalableEstimator, boosted_identity
from g3dr.depth.boosting.patches import Canvas, chosen_patches
from g3dr.depth.estimator import DepthEstimator, Measure, Picture
from g3dr.errors import ConfigError


class BoostedEstimator:
    """Estimates at sizes that a picture's content allows, and merges them.

    Args:
        estimator: Whose disparity or depth is refined.
        options: How.

    Raises:
        ConfigError: The estimator gives exact distances, or cannot be shown pictures at other sizes.
    """

    def __init__(self, estimator: DepthEstimator, options: BoostOptions | None = None) -> None:
        if not isinstance(estimator, ScalableEstimator):
            name = estimator.identity().get("name")
            raise ConfigError("--boost", name, "an estimator whose network takes pictures of several sizes: network, transformers")
        self._estimator, self._options = estimator, options or BoostOptions()

    @property
    def measure(self) -> Measure:
        """See `DepthEstimator`."""
        return self._estimator.measure

    def identity(self) -> Mapping[str, Any]:
        """See `DepthEstimator`."""
        return boosted_identity(self._estimator.identity(), self._options)

    def estimate(self, pictures: Sequence[Picture]) -> list[Float[np.ndarray, "_height _width"]]:
        """See `DepthEstimator`; the usual estimates of all pictures are made at once, the others picture by picture."""
        usual = self._estimator.estimate(pictures)
        return [self._refined(picture, values.astype(np.float64)) for picture, values in zip(pictures, usual, strict=True)]

    def _refined(self, picture: Picture, usual: Map) -> Map:
        edges = edge_map(picture.rgb)
        whole = self._detailed(picture, usual, edges)
        return self._with_patches(picture, whole, edges)

    def _detailed(self, picture: Picture, usual: Map, edges: Bool[np.ndarray, "height width"]) -> Map:
        """Merges the usual estimate of a picture or patch with the largest that its edges allow."""
        side = self._side(edges)
        if side <= self._estimator.side:
            return usual
        [larger] = self._estimator.at(side).estimate([picture])
        return merged(usual, larger.astype(np.float64), self._window(min(usual.shape), self._estimator.side))

    def _side(self, edges: Bool[np.ndarray, "height width"]) -> int:
        """Returns the size of the detailed estimate; more pixels than there are say no more."""
        native, options = self._estimator.side, self._options
        allowed = largest_side(edge_distance(edges), native, options.without_cues)
        return int(min(allowed, native * options.largest_factor, *edges.shape)) // STEP * STEP

    def _window(self, side: int, shown: int) -> int:
        """Returns the windows of a merge where the coarser of two estimates showed `side` pixels as `shown`."""
        return max(3, round(self._options.window * side / shown) | 1)

    def _with_patches(self, picture: Picture, whole: Map, edges: Bool[np.ndarray, "height width"]) -> Map:
        shown = max(self._side(edges), self._estimator.side)
        side = round(min(edges.shape) * self._estimator.side / shown)
        if self._options.patches == 0 or side >= min(edges.shape):
            return whole
        patches = sorted(chosen_patches(edges, side), key=lambda patch: -float(patch.of(edges).mean()))[: self._options.patches]
        parts = [Picture(picture.key, np.ascontiguousarray(patch.of(picture.rgb))) for patch in patches]
        usual = self._estimator.estimate(parts) if parts else []
        canvas, window = Canvas(whole), self._window(min(whole.shape), shown)
        for patch, part, values in zip(patches, parts, usual, strict=True):
            structure = patch.of(whole)
            detail = self._detailed(part, values.astype(np.float64), patch.of(edges))
            canvas.add(patch, merged(structure, fitted(detail, structure), window))
        return canvas.result()
