"""Species: what all individuals of a kind share."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from g3dr.procedural.bodies import BODY_PLANS, Traits

Texture = Literal["stripes", "spots", "counter", "mottle"]

_TEXTURES: tuple[Texture, ...] = ("stripes", "spots", "counter", "mottle")
# Hues: savanna, earth, meadow, desert, water, dusk.
_HABITAT_HUES = (0.28, 0.10, 0.36, 0.07, 0.55, 0.62)
# The fractional part of the golden ratio spreads the hues of consecutive species evenly.
_GOLDEN = 0.6180339887
_SALT = 7001


@dataclass(frozen=True)
class Species:
    """A kind of animal (or mushroom).

    Attributes:
        index: Number of the species.
        plan: Body plan, a key of `BODY_PLANS`.
        traits: Proportions.
        base: Main colour, RGB in [0, 1].
        second: Colour of the markings.
        texture: Pattern of the markings.
        frequency: Fineness of the pattern, about 1.
        habitat_hue: Hue of ground and wall, in turns.
        slope: Rise of the ground away from the camera.
        texture_seed: Decides where the markings are.
    """

    index: int
    plan: str
    traits: Traits
    base: Float64[np.ndarray, "3"]
    second: Float64[np.ndarray, "3"]
    texture: Texture
    frequency: float
    habitat_hue: float
    slope: float
    texture_seed: int


def species_name(index: int, seed: int = 0) -> str:  # noqa: ARG001 - names may come to depend on the seed
    """Returns a name such as `fish_01`: the body plan and the number."""
    return f"{_plan(index)}_{index:02d}"


def make_species(index: int, seed: int = 0) -> Species:
    """Draws a species; the same for the same number and seed."""
    generator = np.random.default_rng([seed, _SALT, index])
    uniform = generator.uniform
    hue = (0.08 + _GOLDEN * index + 0.37 * seed + uniform(-0.03, 0.03)) % 1
    return Species(
        index=index,
        plan=_plan(index),
        base=hsv_to_rgb(hue, uniform(0.35, 0.85), uniform(0.5, 0.9)),
        second=hsv_to_rgb((hue + uniform(0.3, 0.7)) % 1, uniform(0.1, 0.7), uniform(0.1, 0.95)),
        # A body plan that comes again gets the next texture.
        texture=_TEXTURES[(index + index // len(BODY_PLANS)) % len(_TEXTURES)],
        frequency=uniform(0.8, 1.4),
        traits=Traits(girth=uniform(0.8, 1.25), length=uniform(0.85, 1.2), leg=uniform(0.8, 1.3), head=uniform(0.85, 1.25)),
        habitat_hue=_HABITAT_HUES[int(generator.integers(len(_HABITAT_HUES)))] + uniform(-0.03, 0.03),
        slope=uniform(0.05, 0.35),
        texture_seed=int(generator.integers(1 << 20)),
    )


def hsv_to_rgb(hue: float, saturation: float, value: float) -> Float64[np.ndarray, "3"]:
    """Converts a colour; hue in turns, all in [0, 1]."""
    sector = (np.array([5, 3, 1]) + hue * 6) % 6
    return np.asarray(value - value * saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1))


def _plan(index: int) -> str:
    return tuple(BODY_PLANS)[index % len(BODY_PLANS)]
