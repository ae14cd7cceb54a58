"""Individuals: one animal in its surroundings."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from g3dr.procedural.bodies import Ellipsoids, grow
from g3dr.procedural.geometry import rotation
from g3dr.procedural.species import Species

# The ground meets the near face of the box at the lower edge of the picture: at x = -0.85 it is this high.
GROUND_HEIGHT = -0.66
GROUND_EDGE = -0.85

_SALT = 9001
# Largest sizes that stay in the picture whatever the heading: along the view, up, across.
_LARGEST = np.array([1.45, 1.25, 1.35])
_HIGHEST = 0.70
# Height of the ground below the animal, in slopes: it stands a little before the middle of the box.
_FOOT = 0.8
_CLEARANCE = 0.015


@dataclass(frozen=True)
class Surroundings:
    """Ground, wall and light.

    Attributes:
        slope: Rise of the ground away from the camera.
        wall: x at which the wall stands.
        hue: Of ground and wall, in turns.
        brightness: Value of their colour, in [0, 1].
        under_water: Blue instead of `hue`.
        noise_offset: Moves the pattern of ground and wall.
        ambient: Share of light from everywhere.
        light: Direction towards the light.
    """

    slope: float
    wall: float
    hue: float
    brightness: float
    under_water: bool
    noise_offset: Float64[np.ndarray, "3"]
    ambient: float
    light: Float64[np.ndarray, "3"]


@dataclass(frozen=True)
class Individual:
    """One animal in its surroundings, in the world frame.

    Attributes:
        species: What it shares with its kind.
        body: Its parts.
        heading: Rotation from the body frame to the world.
        size: World units per unit of the body frame.
        base: Its main colour, RGB in [0, 1].
        second: The colour of its markings.
        surroundings: Where it is.
    """

    species: Species
    body: Ellipsoids
    heading: Float64[np.ndarray, "3 3"]
    size: float
    base: Float64[np.ndarray, "3"]
    second: Float64[np.ndarray, "3"]
    surroundings: Surroundings

    def bounding_sphere(self) -> tuple[Float64[np.ndarray, "3"], float]:
        """Returns centre and radius of a sphere that holds the whole body."""
        lower, upper = self.body.bounds()
        center = (lower + upper) / 2
        reach = np.linalg.norm(self.body.centers - center, axis=1) + self.body.radii.max(1)
        return center, float(reach.max())


def make_individual(species: Species, index: int, seed: int = 0) -> Individual:
    """Draws an individual: pose, heading, size, colours, place and light; the same for the same species, number and seed."""
    generator = np.random.default_rng([seed, _SALT, species.index, index])
    body = grow(species.plan, species.traits, generator)
    heading = _heading(generator)
    body, size = _scaled(_turned(body, heading), generator.uniform(0.85, 1.05))
    slope = float(np.clip(species.slope + generator.uniform(-0.05, 0.05), 0, 0.4))
    swims = species.plan == "fish"
    body, shrink = _afloat(body, generator) if swims else _standing(body, slope, generator)
    light = _light(generator)
    tint = generator.normal(0, 0.035, 3)
    return Individual(
        species=species,
        body=body,
        heading=heading,
        size=size * shrink,
        base=np.clip(species.base + tint, 0, 1),
        second=np.clip(species.second + tint, 0, 1),
        surroundings=_surroundings(species, slope, light, generator),
    )


def _heading(generator: np.random.Generator) -> Float64[np.ndarray, "3 3"]:
    """Turns the animal so that it is seen from the side or at three quarters, to the left or to the right."""
    turn = generator.uniform(-1.1, 1.1) + (np.pi / 2 if generator.random() < 0.5 else -np.pi / 2)
    return rotation(yaw=turn, roll=generator.uniform(-0.06, 0.06))


def _turned(body: Ellipsoids, heading: Float64[np.ndarray, "3 3"]) -> Ellipsoids:
    return replace(body, centers=body.centers @ heading.T, rotations=heading @ body.rotations)


def _scaled(body: Ellipsoids, size: float) -> tuple[Ellipsoids, float]:
    """Centres the body and scales it by `size`, times what its largest side allows; returns the product too."""
    lower, upper = body.bounds()
    size = float(size * (_LARGEST / (upper - lower)).min())
    return replace(body, centers=(body.centers - (lower + upper) / 2) * size, radii=body.radii * size), size


def _afloat(body: Ellipsoids, generator: np.random.Generator) -> tuple[Ellipsoids, float]:
    """Moves a swimming body to its place; its size stays."""
    across, up = generator.uniform(-0.08, 0.08), generator.uniform(-0.05, 0.12)
    return replace(body, centers=body.centers + np.array([0, up, across])), 1.0


def _standing(body: Ellipsoids, slope: float, generator: np.random.Generator) -> tuple[Ellipsoids, float]:
    """Puts a body onto the ground and shrinks it towards its foot where it is too high; returns the factor too."""
    across = generator.uniform(-0.08, 0.08)
    foot = GROUND_HEIGHT + slope * _FOOT
    lower, upper = body.bounds()
    lift = foot + _CLEARANCE - lower[1]
    centers = body.centers + np.array([0, lift, across])
    shrink = float(min(1.0, (_HIGHEST - foot) / (upper[1] + lift - foot)))
    return replace(body, centers=centers * shrink + np.array([0, foot * (1 - shrink), 0]), radii=body.radii * shrink), shrink


def _light(generator: np.random.Generator) -> Float64[np.ndarray, "3"]:
    """Draws a light on the camera's side, above."""
    light = np.array([-generator.uniform(0.5, 1), generator.uniform(0.6, 1.3), generator.uniform(-0.9, 0.9)])
    return np.asarray(light / np.linalg.norm(light))


def _surroundings(species: Species, slope: float, light: Float64[np.ndarray, "3"], generator: np.random.Generator) -> Surroundings:
    return Surroundings(
        slope=slope,
        wall=generator.uniform(0.62, 0.8),
        hue=(species.habitat_hue + generator.normal(0, 0.04)) % 1,
        brightness=generator.uniform(0.45, 0.85),
        under_water=species.plan == "fish",
        noise_offset=generator.uniform(0, 50, 3),
        ambient=generator.uniform(0.35, 0.5),
        light=light,
    )
