"""Beetles: wing cases, feelers and six jointed legs."""

import numpy as np

from g3dr.procedural.bodies.parts import SIDES, Anatomy, Tissue, Traits
from g3dr.procedural.geometry import rotation


def beetle(body: Anatomy, traits: Traits, generator: np.random.Generator) -> None:
    """Adds a beetle."""
    long, girth, size = traits.length, traits.girth, traits.head
    body.ellipsoid((-0.1, 0, 0), (0.36 * long, 0.2 * girth, 0.28 * girth))
    body.ellipsoid((0.24 * long, -0.01, 0), (0.16, 0.15, 0.2 * girth), tissue=Tissue.MARKED)
    body.ellipsoid((0.4 * long, -0.02, 0), (0.1 * size, 0.09 * size, 0.12 * size), tissue=Tissue.DARK)
    for side in SIDES:
        body.ellipsoid((-0.1, 0.03, side * 0.13), (0.34 * long, 0.19 * girth, 0.15), rotation(pitch=side * 0.2))
    for side in SIDES:
        feeler = (0.62 * long, 0.2 + generator.uniform(-0.05, 0.1), side * 0.18)
        body.limb((0.45 * long, 0.03, side * 0.05), feeler, 0.012, Tissue.DARK)
        body.ball((0.46 * long, 0.02, side * 0.09), 0.03)
        for hip in (0.26, 0.0, -0.28):
            _leg(body, traits, hip * long, side, generator.uniform(-0.04, 0.04))


def _leg(body: Anatomy, traits: Traits, hip: float, side: int, spread: float) -> None:
    knee = (hip * 1.15, 0.06, side * 0.42 * traits.girth)
    body.limb((hip, -0.05, side * 0.2), knee, 0.028, Tissue.DARK)
    body.limb(knee, (hip * 1.35, -0.3 * traits.leg, side * (0.5 + spread) * traits.girth), 0.018, Tissue.DARK)
