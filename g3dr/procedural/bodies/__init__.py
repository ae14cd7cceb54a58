"""Body plans: how an animal is put together from ellipsoids.

Body frame: x along the body with the head at +x, y up, z to the side; about one unit long.
"""

from collections.abc import Callable, Mapping

import numpy as np

from g3dr.procedural.bodies.arthropods import beetle
from g3dr.procedural.bodies.birds import bird
from g3dr.procedural.bodies.fishes import fish
from g3dr.procedural.bodies.fungi import mushroom
from g3dr.procedural.bodies.mammals import quadruped, sciurid
from g3dr.procedural.bodies.parts import Anatomy, Ellipsoids, Tissue, Traits
from g3dr.procedural.bodies.reptiles import serpent, turtle

__all__ = ["BODY_PLANS", "BodyPlan", "Ellipsoids", "Tissue", "Traits", "grow"]

BodyPlan = Callable[[Anatomy, Traits, np.random.Generator], None]

BODY_PLANS: Mapping[str, BodyPlan] = {
    "quadruped": quadruped,
    "fish": fish,
    "sciurid": sciurid,
    "bird": bird,
    "beetle": beetle,
    "serpent": serpent,
    "turtle": turtle,
    "mushroom": mushroom,
}


def grow(plan: str, traits: Traits, generator: np.random.Generator) -> Ellipsoids:
    """Builds one individual's body in the body frame; the first ellipsoid is the trunk.

    Args:
        plan: Key of `BODY_PLANS`.
        traits: Proportions of its species.
        generator: Draws the pose.
    """
    anatomy = Anatomy()
    BODY_PLANS[plan](anatomy, traits, generator)
    return anatomy.ellipsoids()
