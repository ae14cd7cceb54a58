"""Birds: folded wings on two thin legs."""

import numpy as np

from g3dr.procedural.bodies.parts import SIDES, Anatomy, Tissue, Traits
from g3dr.procedural.geometry import rotation


def bird(body: Anatomy, traits: Traits, generator: np.random.Generator) -> None:
    """Adds a standing songbird."""
    long, girth, size, leg = traits.length, traits.girth, traits.head, traits.leg
    tilt = generator.uniform(-0.1, 0.25)
    body.ellipsoid((0, 0, 0), (0.33 * long, 0.2 * girth, 0.18 * girth), rotation(roll=0.35 + tilt))
    body.ellipsoid((0.25 * long, 0.23, 0), (0.14 * size, 0.13 * size, 0.12 * size))
    body.limb((0.33 * long, 0.22, 0), (0.5 * long, 0.19, 0), 0.035, Tissue.DARK)
    body.limb((-0.24 * long, -0.1, 0), (-0.62 * long, -0.2, 0), 0.05, Tissue.MARKED)
    for side in SIDES:
        wing = (-0.08, 0.02, side * 0.17 * girth)
        body.ellipsoid(wing, (0.3 * long, 0.12, 0.035), rotation(yaw=side * 0.08, roll=0.3 + tilt), Tissue.MARKED)
        body.ball((0.3 * long, 0.27, side * 0.095 * size), 0.024)
        body.limb((0.02, -0.14, side * 0.06), (0.03, -0.44 * leg, side * 0.07), 0.018, Tissue.DARK)
        body.limb((0, -0.44 * leg, side * 0.07), (0.12, -0.45 * leg, side * 0.09), 0.014, Tissue.DARK)
