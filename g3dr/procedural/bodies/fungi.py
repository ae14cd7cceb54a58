"""Groups of mushrooms."""

import numpy as np

from g3dr.procedural.bodies.parts import Anatomy, Tissue, Traits


def mushroom(body: Anatomy, traits: Traits, generator: np.random.Generator) -> None:
    """Adds a large mushroom with one or two small ones beside it."""
    small = 1 + int(generator.integers(2))
    _fruit(body, traits, (0.0, 0.0), 1.0, generator)
    for _ in range(small):
        place = (generator.uniform(-0.3, 0.3), generator.choice([-1, 1]) * generator.uniform(0.28, 0.4))
        _fruit(body, traits, place, generator.uniform(0.4, 0.65), generator)


def _fruit(body: Anatomy, traits: Traits, place: tuple[float, float], size: float, generator: np.random.Generator) -> None:
    (x, z), girth = place, traits.girth
    top = 0.62 * traits.length * size - 0.45
    body.limb((x, -0.5, z), (x + generator.uniform(-0.05, 0.05), top, z), 0.085 * size * girth, Tissue.MARKED)
    body.ellipsoid((x, top, z), (0.34 * size * girth, 0.2 * size * traits.head, 0.34 * size * girth))
    body.ellipsoid((x, top - 0.05 * size, z), (0.29 * size * girth, 0.08 * size, 0.29 * size * girth), tissue=Tissue.DARK)
