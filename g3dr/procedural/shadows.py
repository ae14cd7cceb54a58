"""Which points lie in the body's shadow.

All rays to the light are parallel. In a frame (u, v, w) whose w points to the light, a ray through (u, v) enters a part at
w = linear(u, v) - sqrt(quadratic(u, v)), and a point is in shadow if it lies below where some part begins.
"""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from g3dr.procedural.individuals import Individual
from g3dr.procedural.tracing import unit_frames

# A part must begin this far above a point to shade it, world units.
_GAP = 0.004


def shadowed(individual: Individual, points: Float64[np.ndarray, "point 3"]) -> Bool[np.ndarray, "point"]:
    """Says which points the body shades; points on the body must be lifted off it a little.

    Args:
        individual: The body and the light.
        points: In the world frame.
    """
    center, radius = individual.bounding_sphere()
    frame = _light_frame(individual.surroundings.light)
    u, v, w = ((points - center) @ frame).T
    result = np.zeros(len(points), dtype=np.bool_)
    below = np.flatnonzero((u * u + v * v < radius**2) & (w < radius))
    u, v, w = u[below], v[below], w[below]
    monomials = np.stack([u * u, v * v, 2 * u * v, 2 * u, 2 * v, np.ones_like(u)]).astype(np.float32)
    quadratic, linear = _columns(individual, center, frame)
    discriminant = quadratic @ monomials
    begins = linear @ monomials[3:] - np.sqrt(np.maximum(discriminant, 0))
    result[below] = ((discriminant > 0) & (begins > (w + _GAP).astype(np.float32))).any(0)
    return result


def _light_frame(light: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """Returns a rotation whose third column is the light; the light always comes from above, so the first is never short."""
    across = np.array([0.0, light[2], -light[1]])
    across /= np.hypot(across[1], across[2])
    return np.stack([across, np.cross(light, across), light], axis=1)


def _columns(
    individual: Individual, center: Float64[np.ndarray, "3"], frame: Float64[np.ndarray, "3 3"]
) -> tuple[Float32[np.ndarray, "part 6"], Float32[np.ndarray, "part 3"]]:
    """Returns the coefficients of discriminant and linear part of w over the monomials of `shadowed`."""
    turned = unit_frames(individual) @ frame
    metric = np.swapaxes(turned, 1, 2) @ turned
    middles = (individual.body.centers - center) @ frame
    height = metric[:, 2, 2]
    tilt = metric[:, :2, 2] / height[:, None]
    # The Schur complement: the part's silhouette on the plane across the light.
    outline = metric[:, :2, :2] / height[:, None, None] - tilt[:, :, None] * tilt[:, None, :]
    pull = np.einsum("kij,kj->ki", outline, middles[:, :2])
    rest = 1 / height - np.einsum("ki,ki->k", pull, middles[:, :2])
    quadratic = np.stack([-outline[:, 0, 0], -outline[:, 1, 1], -outline[:, 0, 1], pull[:, 0], pull[:, 1], rest], axis=1)
    constant = middles[:, 2] + np.einsum("ki,ki->k", tilt, middles[:, :2])
    linear = np.stack([-tilt[:, 0] / 2, -tilt[:, 1] / 2, constant], axis=1)
    return quadratic.astype(np.float32), linear.astype(np.float32)
