"""The exact depth of procedural animals, drawn again from their keys: for tests, demonstrations, and as the best there can be."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Float

from g3dr.depth.estimator import Measure, Picture
from g3dr.errors import DataError
from g3dr.procedural import ExampleId, ProceduralConfig, examples, species_name
from g3dr.procedural.camera import look_from, pixel_sight
from g3dr.procedural.individuals import make_individual
from g3dr.procedural.species import make_species
from g3dr.procedural.tracing import trace


class ProceduralEstimator:
    """Knows the animals of a procedural dataset.

    Args:
        config: What the dataset was drawn from.
        code: Names the version of the generator; part of the identity.
    """

    def __init__(self, config: ProceduralConfig, code: str = "") -> None:
        self._config, self._code = config, code
        self._by_key = {f"{species_name(one.species, config.seed)}/{one.individual:04d}": one for one in examples(config)}

    @property
    def measure(self) -> Measure:
        """See `DepthEstimator`."""
        return Measure("distance", is_scaled=True)

    def identity(self) -> Mapping[str, Any]:
        """See `DepthEstimator`."""
        return {"name": "procedural", "code": self._code, "config": asdict(self._config)}

    def estimate(self, pictures: Sequence[Picture]) -> list[Float[np.ndarray, "_height _width"]]:
        """See `DepthEstimator`."""
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Picture) -> Float[np.ndarray, "height width"]:
        example, side = self._by_key.get(picture.key), self._config.resolution
        if example is None:
            raise DataError("the procedural dataset that this one is said to come from has no such individual")
        if picture.rgb.shape[:2] != (side, side):
            raise DataError(f"the picture is {picture.rgb.shape[1]} x {picture.rgb.shape[0]}, but was drawn at {side} x {side}")
        return _exact_depth(self._config, example)


def _exact_depth(config: ProceduralConfig, example: ExampleId) -> Float[np.ndarray, "height width"]:
    """Traces the rays of a picture without colouring it."""
    individual = make_individual(make_species(example.species, config.seed), example.individual, config.seed)
    # The samples beside the pixels' middles are traced too: matrix products of another size may round differently.
    distance = trace(individual, look_from(), pixel_sight(config.resolution, config.supersampling)).distance
    side = config.resolution
    return np.asarray(distance[: side**2].reshape(side, side))
