"""Fish: flat bodies with fins."""

import numpy as np

from g3dr.procedural.bodies.parts import SIDES, Anatomy, Tissue, Traits
from g3dr.procedural.geometry import rotation


def fish(body: Anatomy, traits: Traits, generator: np.random.Generator) -> None:
    """Adds a fish with a forked tail."""
    long, girth = traits.length, traits.girth
    body.ellipsoid((0, 0, 0), (0.45 * long, 0.27 * girth * generator.uniform(0.92, 1.08), 0.10))
    body.ellipsoid((0.28 * long, -0.01, 0), (0.2 * long, 0.19 * girth, 0.09))
    for side in SIDES:
        body.ellipsoid((-0.5 * long, side * 0.12, 0), (0.06, 0.18, 0.02), rotation(roll=side * 0.5), Tissue.MARKED)
        body.ball((0.36 * long, 0.06, side * 0.075), 0.035)
        body.ellipsoid((0.08, -0.06, side * 0.10), (0.12, 0.05, 0.015), rotation(yaw=side * 0.6, roll=-0.4), Tissue.MARKED)
    body.ellipsoid((-0.02, 0.24 * girth, 0), (0.32 * long, 0.09, 0.02), rotation(roll=-0.08), Tissue.MARKED)
    body.ellipsoid((-0.08, -0.24 * girth, 0), (0.24 * long, 0.08, 0.02), rotation(roll=0.1), Tissue.MARKED)
