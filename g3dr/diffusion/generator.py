"""What makes pictures from a wish: the one interface of our own networks and of public ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from g3dr.diffusion.config import SamplingSettings
from g3dr.errors import ConfigError, did_you_mean

Condition = Literal["class", "text", "none"]
Advance = Callable[[int, int], None]
Pictures = UInt8[np.ndarray, "batch height width 3"]

_SHOWN = 12


@dataclass(frozen=True)
class Wish:
    """What is to be seen.

    Attributes:
        subject: The name of a class, or a text; empty for whatever the model makes by itself.
        negative: Text that guidance leads away from; only models of texts know what to do with it.
    """

    subject: str = ""
    negative: str = ""


@runtime_checkable
class PictureGenerator(Protocol):
    """Makes pictures; holds its weights in memory."""

    @property
    def condition(self) -> Condition:
        """What it wants to be told."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes that it knows; empty where there are none."""

    @property
    def side(self) -> int:
        """Side of its pictures, pixels; the shorter one where they are not square."""

    def identity(self) -> Mapping[str, Any]:
        """Returns what determines its pictures besides wish, seeds and settings, as JSON."""

    def generate(self, wish: Wish, seeds: Sequence[int], settings: SamplingSettings, advance: Advance) -> Pictures:
        """Draws one picture for each seed; a picture does not depend, but for rounding, on those that are drawn beside it.

        Args:
            wish: What is to be seen.
            seeds: 0 or more each.
            settings: How.
            advance: Called with the steps of single pictures that are done, and all of them.

        Raises:
            ConfigError: The wish is none for this model.
        """


def check_class(name: str, classes: Sequence[str]) -> int:
    """Returns the number of a class.

    Raises:
        ConfigError: There is no such class; the sentence names those there are.
    """
    if name not in classes:
        shown = ", ".join(classes[:_SHOWN]) + (f" and {len(classes) - _SHOWN} more" if len(classes) > _SHOWN else "")
        raise ConfigError("--species", name, shown or "nothing: this model knows no classes", did_you_mean(name, classes))
    return list(classes).index(name)
