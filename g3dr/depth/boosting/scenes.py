"""Procedural animals whose disparity is exact: what the error of depth near edges is measured on."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy.ndimage import binary_dilation

from g3dr.depth.mapping import to_disparity
from g3dr.pictures import to_bytes
from g3dr.procedural.camera import look_from
from g3dr.procedural.individuals import make_individual
from g3dr.procedural.rendering import render
from g3dr.procedural.species import make_species

JUMP = 0.05
"""Of disparity between neighbouring pixels, of a range of 1: a discontinuity."""

NEAR_PIXELS = 4
"""So near to a discontinuity is near an edge."""

NOISE = 2
"""Gray levels, as a camera's; with it no two rows of a picture are equal, by which its parts are found."""

Truth = Float64[np.ndarray, "height width"]


class Scene(NamedTuple):
    """A picture and what is true of it.

    Attributes:
        rgb: Red, green, blue; 0 to 255.
        truth: Disparity, of a range of 1.
    """

    rgb: UInt8[np.ndarray, "_h _w 3"]
    truth: Float64[np.ndarray, "_h _w"]


def make_scene(number: int, resolution: int, seed: int) -> Scene:
    """Draws an animal with its disparity: species take turns."""
    drawn = render(make_individual(make_species(number, seed), number, seed), look_from(), resolution, supersampling=1)
    noise = np.random.default_rng([seed, number]).integers(-NOISE, NOISE + 1, (resolution, resolution, 3))
    return Scene((to_bytes(drawn.rgb).astype(int) + noise).clip(0, 255).astype(np.uint8), to_disparity(drawn.depth))


def discontinuities(truth: Truth) -> Bool[np.ndarray, "height width"]:
    """Returns the pixels before a jump to the next one, down or across."""
    found = np.zeros(truth.shape, np.bool_)
    found[:-1] |= np.abs(np.diff(truth, axis=0)) > JUMP
    found[:, :-1] |= np.abs(np.diff(truth, axis=1)) > JUMP
    return found


def near_edges(truth: Truth) -> Bool[np.ndarray, "height width"]:
    """Returns the pixels within `NEAR_PIXELS` of a discontinuity."""
    return np.asarray(binary_dilation(discontinuities(truth), iterations=NEAR_PIXELS))
