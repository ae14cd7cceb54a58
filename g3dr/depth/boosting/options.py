"""How far an estimator is driven, and what it must be able to do for that."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from g3dr.depth.estimator import DepthEstimator
from g3dr.errors import ConfigError

VERSION = 1
"""Is raised with every change of what boosting makes of the same estimates."""


STEP = 32
"""Sides at which pictures are shown are multiples of this, as the strides of networks ask."""


@runtime_checkable
class ScalableEstimator(DepthEstimator, Protocol):
    """An estimator whose network can look at pictures at other sizes than its usual one."""

    @property
    def side(self) -> int:
        """Shorter side at which pictures are looked at, pixels; at its usual size a network sees all that belongs together."""

    def at(self, side: int) -> DepthEstimator:
        """Returns the same network looking at pictures with a shorter side of `side` pixels, a multiple of `STEP`."""


@dataclass(frozen=True)
class BoostOptions:
    """How far an estimator is driven.

    Attributes:
        without_cues: Share of the pixels that may be left without an edge in their receptive field in the detailed estimate: the
            paper's x, 0.2.
        largest_factor: The detailed estimate's size in sides of the usual one, at most; it bounds memory and time.
        patches: How many parts of a picture are estimated by themselves, at most: those with the most edges. 0 for none.
        window: Windows of the merge, in pixels of the coarser of two estimates.
    """

    without_cues: float = 0.2
    largest_factor: float = 3.0
    patches: int = 24
    window: float = 10.0

    def __post_init__(self) -> None:
        for name, good, allowed in (
            ("without_cues", 0 <= self.without_cues < 1, "0 to less than 1"),
            ("largest_factor", self.largest_factor >= 1, "1 or more"),
            ("patches", self.patches >= 0, "0 or more"),
            ("window", self.window > 0, "more than 0"),
        ):
            if not good:
                raise ConfigError(f"boost.{name}", getattr(self, name), allowed)


def boosted_identity(identity: Mapping[str, Any], options: BoostOptions) -> Mapping[str, Any]:
    """Returns what determines boosted maps, from what determines those of the estimator itself."""
    return {"name": "boosted", "version": VERSION, **asdict(options), "of": dict(identity)}
