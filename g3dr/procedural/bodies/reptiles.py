"""Serpents that wind over the ground, and turtles."""

import numpy as np

from g3dr.procedural.bodies.parts import SIDES, Anatomy, Tissue, Traits

_JOINTS = 13


def serpent(body: Anatomy, traits: Traits, generator: np.random.Generator) -> None:
    """Adds a serpent with a raised head."""
    along = np.linspace(0, 1, _JOINTS)
    phase, swing = generator.uniform(0, 6.28), generator.uniform(0.14, 0.26)
    lengthwise = 0.62 * traits.length * (2 * along - 1)
    height = -0.22 + 0.8 * np.clip(along - 0.72, 0, 1)
    joints = np.stack([lengthwise, height, swing * np.sin(phase + along * 2 * np.pi * 1.3)], axis=1).tolist()
    thickness = (0.035 + 0.07 * np.sin(np.pi * np.minimum(along * 1.1 + 0.12, 1)).clip(0) ** 0.6) * traits.girth
    for joint in range(_JOINTS - 1):
        body.limb(joints[joint], joints[joint + 1], float(thickness[joint]), Tissue.MARKED if joint % 3 == 2 else Tissue.BODY)
    x, y, z = joints[-1]
    body.ellipsoid((x, y, z), (0.11 * traits.head, 0.07 * traits.head, 0.085 * traits.head))
    for side in SIDES:
        body.ball((x + 0.05, y + 0.04, z + side * 0.06 * traits.head), 0.022)


def turtle(body: Anatomy, traits: Traits, generator: np.random.Generator) -> None:
    """Adds a turtle."""
    long, girth, size = traits.length, traits.girth, traits.head
    body.ellipsoid((0, 0, 0), (0.4 * long, 0.24 * girth, 0.34))
    body.ellipsoid((0, -0.09, 0), (0.43 * long, 0.1, 0.37), tissue=Tissue.MARKED)
    neck = 0.05 + generator.uniform(0, 0.12)
    body.limb((0.34 * long, -0.06, 0), (0.5 * long, neck, 0), 0.07, Tissue.MARKED)
    body.ellipsoid((0.54 * long, neck + 0.02, 0), (0.11 * size, 0.085 * size, 0.085 * size), tissue=Tissue.MARKED)
    for side in SIDES:
        body.ball((0.59 * long, neck + 0.05, side * 0.06 * size), 0.02)
        for hip in (0.27, -0.27):
            foot = (hip * 1.35 + generator.uniform(-0.06, 0.06), -0.28 * traits.leg, side * 0.36)
            body.limb((hip, -0.1, side * 0.24), foot, 0.075, Tissue.MARKED)
    body.limb((-0.38 * long, -0.1, 0), (-0.52 * long, -0.16, 0), 0.03, Tissue.MARKED)
