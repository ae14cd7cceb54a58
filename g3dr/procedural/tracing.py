"""Where rays hit: closed forms for ellipsoids, ground and wall.

In an ellipsoid's own unit-sphere frame a ray o + t d becomes O + t D, and its first hit obeys (O.O - 1) / t^2 + 2 (O.D) / t + D.D = 0.
Seen from one camera O is fixed, so 1 / t = linear(d) + sqrt(quadratic(d)): for all rays and parts that is two matrix products
over the monomials of d. The nearest part has the largest 1 / t; its hit alone is then computed again in float64, so depth is exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from g3dr.procedural.camera import Camera, Sight
from g3dr.procedural.individuals import GROUND_EDGE, GROUND_HEIGHT, Individual

GROUND, WALL = -1, -2

# Rays at once: the arrays of parts x rays then stay in the cache.
_CHUNK = 8192


@dataclass(frozen=True)
class Hits:
    """First hits of rays.

    Attributes:
        distance: Along the ray, world units.
        surface: Number of the part, or `GROUND` or `WALL`.
        directions: Unit vectors of the rays in the world frame.
    """

    distance: Float64[np.ndarray, "ray"]
    surface: Int64[np.ndarray, "ray"]
    directions: Float64[np.ndarray, "ray 3"]


def unit_frames(individual: Individual) -> Float64[np.ndarray, "part 3 3"]:
    """Returns the matrices that take an offset from a part's centre to the frame where the part is the unit sphere."""
    body = individual.body
    return np.asarray(np.swapaxes(body.rotations, 1, 2) / body.radii[:, :, None])


def trace(individual: Individual, camera: Camera, sight: Sight) -> Hits:
    """Finds the first hit of every ray of a camera; ground and wall are endless, so every ray that looks forward has one."""
    directions = sight.directions @ camera.rotation.T
    distance, surface = _surroundings_hits(individual, camera.origin, directions)
    rays = np.flatnonzero(_near_body(individual, camera, sight))
    nearest = _nearest_parts(individual, camera, sight.monomials[:, rays])
    rays, nearest = rays[nearest >= 0], nearest[nearest >= 0]
    exact = _part_distance(individual, camera.origin, directions[rays], nearest)
    first = exact < distance[rays]
    distance[rays[first]], surface[rays[first]] = exact[first], nearest[first]
    return Hits(distance, surface, directions)


def _surroundings_hits(
    individual: Individual, origin: Float64[np.ndarray, "3"], directions: Float64[np.ndarray, "ray 3"]
) -> tuple[Float64[np.ndarray, "ray"], Int64[np.ndarray, "ray"]]:
    """Returns distance and surface of the hit on ground or wall, whichever comes first."""
    slope = individual.surroundings.slope
    # Both are planes: distance = height above the plane / speed towards it; who flies along or away never arrives.
    sinking = slope * directions[:, 0] - directions[:, 1]
    height = origin[1] - GROUND_HEIGHT - slope * (origin[0] - GROUND_EDGE)
    ground = np.divide(height, sinking, out=np.full(len(directions), np.inf), where=sinking > 1e-6)
    wall = np.divide(
        individual.surroundings.wall - origin[0], directions[:, 0], out=np.full(len(directions), np.inf), where=directions[:, 0] > 1e-6
    )
    return np.minimum(ground, wall), np.where(ground < wall, GROUND, WALL)


def _near_body(individual: Individual, camera: Camera, sight: Sight) -> Bool[np.ndarray, "ray"]:
    """Says which rays pass through the body's bounding sphere."""
    center, radius = individual.bounding_sphere()
    offset = (center - camera.origin) @ camera.rotation
    distance = np.linalg.norm(offset)
    return np.asarray(sight.directions @ (offset / distance) > np.sqrt(1 - (radius / distance) ** 2))


def _nearest_parts(individual: Individual, camera: Camera, monomials: Float32[np.ndarray, "9 ray"]) -> Int64[np.ndarray, "ray"]:
    """Returns the number of the part that each ray hits first, -1 for none."""
    quadratic, linear = _silhouettes(individual, camera)
    found = [_nearest_of_chunk(quadratic @ chunk[:6], linear @ chunk[6:]) for chunk in _chunks(monomials)]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _chunks(monomials: Float32[np.ndarray, "rows ray"]) -> Iterator[Float32[np.ndarray, "rows chunk"]]:
    for start in range(0, monomials.shape[1], _CHUNK):
        yield monomials[:, start : start + _CHUNK]


def _nearest_of_chunk(discriminant: Float32[np.ndarray, "part ray"], linear: Float32[np.ndarray, "part ray"]) -> Int64[np.ndarray, "ray"]:
    missed = discriminant <= 0
    inverse_distance = np.sqrt(np.maximum(discriminant, 0, out=discriminant), out=discriminant)
    inverse_distance += linear
    inverse_distance[missed] = 0
    nearest = inverse_distance.argmax(0)
    return np.where(inverse_distance[nearest, np.arange(len(nearest))] > 0, nearest, -1)


def _silhouettes(individual: Individual, camera: Camera) -> tuple[Float32[np.ndarray, "part 6"], Float32[np.ndarray, "part 3"]]:
    """Returns the coefficients of discriminant and linear part of 1 / t over the monomials of a `Sight`."""
    frames = unit_frames(individual)
    origins = np.einsum("kij,kj->ki", frames, camera.origin - individual.body.centers)
    frames = frames @ camera.rotation
    outside = (origins**2).sum(1) - 1
    linear = -np.einsum("kij,ki->kj", frames, origins) / outside[:, None]
    metric = np.swapaxes(frames, 1, 2) @ frames
    form = linear[:, :, None] * linear[:, None, :] - metric / outside[:, None, None]
    return form[:, (0, 1, 2, 0, 0, 1), (0, 1, 2, 1, 2, 2)].astype(np.float32), linear.astype(np.float32)


def _part_distance(
    individual: Individual, origin: Float64[np.ndarray, "3"], directions: Float64[np.ndarray, "ray 3"], parts: Int64[np.ndarray, "ray"]
) -> Float64[np.ndarray, "ray"]:
    """Returns the distance to the given part of each ray; where rounding let a ray pass just beside it, that of the closest approach."""
    frames = unit_frames(individual)
    origins = np.einsum("kij,kj->ki", frames, origin - individual.body.centers)[parts]
    slopes = np.einsum("nij,nj->ni", frames[parts], directions)
    speed = np.einsum("ni,ni->n", slopes, slopes)
    approach = np.einsum("ni,ni->n", slopes, origins)
    outside = np.einsum("ni,ni->n", origins, origins) - 1
    return np.asarray(outside / (np.sqrt(np.maximum(approach**2 - speed * outside, 0)) - approach))
