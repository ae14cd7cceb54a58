"""What the page of a study of boosting shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, UInt8

from g3dr.depth.boosting.study import USUAL
from orchestrator.report.statistics import LEAST_IMAGES, Interval, student_mean

MEASURES = (
    ("everywhere", "Everywhere", "root mean square of the error, of a range of 1"),
    ("near edges", "Near edges", "the same within 4 pixels of a discontinuity"),
    ("wrong order", "Wrong order", "pairs of points on both sides of a discontinuity that are ordered wrongly (D3R)"),
)
BASELINE = USUAL


@dataclass(frozen=True)
class Example:
    """A picture with what was made of it.

    Attributes:
        name: What it is.
        rgb: The picture.
        edges: What boosting takes for edges in it.
        truth: Its true disparity.
        near: Pixels that count as near an edge.
        maps: Variant to disparity, in the truth's scale and shift.
    """

    name: str
    rgb: UInt8[np.ndarray, "_height _width 3"]
    edges: np.ndarray
    truth: Float64[np.ndarray, "_height _width"]
    near: np.ndarray
    maps: Mapping[str, Float64[np.ndarray, "_height _width"]]


@dataclass(frozen=True)
class Measured:
    """One estimator's variants.

    Attributes:
        name: Short, for headings and files.
        told: What it is, in a sentence.
        errors: Variant to one row of errors and seconds a picture; `usual size` comes first.
        examples: Some of the pictures.
    """

    name: str
    told: str
    errors: Mapping[str, Sequence[Mapping[str, float]]]
    examples: Sequence[Example] = ()

    @property
    def pictures(self) -> int:
        """How many were measured."""
        return len(self.errors[BASELINE])

    def values(self, variant: str, measure: str) -> list[float]:
        """Returns a figure of every picture."""
        return [entry[measure] for entry in self.errors[variant]]

    def mean(self, variant: str, measure: str) -> float:
        """Returns the mean over pictures."""
        return float(np.mean(self.values(variant, measure)))

    def change(self, variant: str, measure: str, baseline: str = BASELINE) -> Interval | None:
        """Returns the paired difference to a variant in the same pictures, with Student's 95 % interval."""
        pairs = zip(self.values(variant, measure), self.values(baseline, measure), strict=True)
        found = student_mean([value - other for value, other in pairs])
        return None if found is None else replace(found, least=LEAST_IMAGES)
