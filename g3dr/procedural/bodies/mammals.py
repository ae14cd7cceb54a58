"""Quadrupeds with a trunk, and sciurids that sit upright before a curled tail."""

from math import cos, sin

import numpy as np

from g3dr.procedural.bodies.parts import SIDES, Anatomy, Tissue, Traits
from g3dr.procedural.geometry import rotation


def quadruped(body: Anatomy, traits: Traits, generator: np.random.Generator) -> None:
    """Adds a four-legged animal with large ears and a trunk."""
    long, girth, size = traits.length, traits.girth, traits.head
    body.ellipsoid((0, 0.08, 0), (0.40 * long, 0.23 * girth * generator.uniform(0.92, 1.08), 0.20 * girth))
    head_x, head_y = 0.44 * long, 0.24 + generator.uniform(-0.08, 0.08)
    body.ellipsoid((head_x, head_y, 0), (0.17 * size, 0.16 * size, 0.14 * size))
    for side in SIDES:
        ear = (head_x - 0.06, head_y + 0.03, side * 0.17 * size)
        body.ellipsoid(ear, (0.07, 0.15 * size, 0.03), rotation(yaw=side * 0.5), Tissue.MARKED)
        body.ball((head_x + 0.11 * size, head_y + 0.05, side * 0.09 * size), 0.022)
        for hip in (0.26 * long, -0.26 * long):
            foot = (hip + generator.uniform(-0.12, 0.12), -0.36 * traits.leg, side * 0.12 * girth)
            body.limb((hip, 0, side * 0.11 * girth), foot, 0.07 * girth)
    _trunk(body, (head_x + 0.13 * size, head_y - 0.04), generator.uniform(-0.5, 0.3))
    body.limb((-0.38 * long, 0.12, 0), (-0.5 * long, -0.1, 0.02), 0.02, Tissue.DARK)


def _trunk(body: Anatomy, root: tuple[float, float], lift: float) -> None:
    x, y = root
    for joint in range(5):
        angle = lift - 0.3 * joint - 1.0
        tip = (x + 0.085 * cos(angle), y + 0.085 * sin(angle))
        body.limb((x, y, 0), (*tip, 0), 0.055 - 0.006 * joint)
        x, y = tip


def sciurid(body: Anatomy, traits: Traits, generator: np.random.Generator) -> None:
    """Adds a sitting squirrel-like animal."""
    long, girth, size = traits.length, traits.girth, traits.head
    lean = generator.uniform(-0.15, 0.15)
    body.ellipsoid((0, -0.05, 0), (0.19 * girth, 0.34 * long, 0.18 * girth), rotation(roll=lean - 0.15))
    body.ellipsoid((0.06, -0.24, 0), (0.22 * girth, 0.2, 0.21 * girth))
    head_x, head_y = 0.09, 0.34 * long
    body.ellipsoid((head_x, head_y, 0), (0.16 * size, 0.13 * size, 0.12 * size))
    body.ellipsoid((head_x + 0.13 * size, head_y - 0.03, 0), (0.06, 0.05, 0.06), tissue=Tissue.MARKED)
    for side in SIDES:
        body.ellipsoid((head_x - 0.05, head_y + 0.12 * size, side * 0.08), (0.03, 0.06, 0.03), tissue=Tissue.DARK)
        body.ball((head_x + 0.08 * size, head_y + 0.04, side * 0.09 * size), 0.025)
        body.limb((0.08, 0.08, side * 0.14), (0.26, 0.02 + generator.uniform(-0.05, 0.08), side * 0.07), 0.045)
        body.limb((0.06, -0.3, side * 0.16), (0.24, -0.42, side * 0.17), 0.06)
    _curled_tail(body, 0.30 * long)


def _curled_tail(body: Anatomy, curl: float) -> None:
    x, y = -0.14, -0.36
    for joint in range(6):
        angle = 2.6 - curl * joint
        tip = (x + 0.11 * cos(angle), y + 0.11 * sin(angle))
        body.limb((x, y, 0), (*tip, 0), 0.055 + 0.01 * joint, Tissue.MARKED if joint % 2 else Tissue.BODY)
        x, y = tip
