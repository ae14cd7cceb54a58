"""Light on surfaces: ambient, diffuse with cast shadows, and highlights on the body."""

import numpy as np
from jaxtyping import Float32, Float64

from g3dr.procedural.camera import Camera
from g3dr.procedural.individuals import Individual
from g3dr.procedural.shadows import shadowed
from g3dr.procedural.textures import albedo
from g3dr.procedural.tracing import GROUND, WALL, Hits, unit_frames

# Shadow rays start this far off the surface, world units.
_LIFT = 0.004
_SHADOW = np.float32(0.15)
_SHININESS = 24
_HIGHLIGHT = np.float32(0.25)


def shade(individual: Individual, camera: Camera, hits: Hits, *, shadows: bool) -> Float32[np.ndarray, "ray 3"]:
    """Returns what the rays see, RGB in [0, 1].

    Args:
        individual: What is seen.
        camera: Where the rays start.
        hits: What they hit.
        shadows: Whether the body casts shadows.
    """
    points = camera.origin + hits.distance[:, None] * hits.directions
    normals = _normals(individual, points, hits)
    place = individual.surroundings
    diffuse = (normals @ place.light).clip(0).astype(np.float32)
    highlight = _highlight(individual, normals, hits) * (diffuse > 0)
    if shadows:
        diffuse = diffuse * _shadow(individual, points, normals, diffuse, hits)
    # More ambient light comes from above.
    ambient = place.ambient * (0.8 + 0.2 * normals[:, 1]).astype(np.float32)
    colors = albedo(individual, points.astype(np.float32), hits.surface)
    lit = colors * (ambient + np.float32(0.75) * diffuse)[:, None] + highlight[:, None]
    return np.asarray(lit.clip(0, 1))


def _normals(individual: Individual, points: Float64[np.ndarray, "ray 3"], hits: Hits) -> Float64[np.ndarray, "ray 3"]:
    slope = individual.surroundings.slope
    normals = np.empty_like(points)
    normals[hits.surface == WALL] = (-1, 0, 0)
    normals[hits.surface == GROUND] = np.array([-slope, 1, 0]) / np.hypot(slope, 1)
    on_body = hits.surface >= 0
    parts = hits.surface[on_body]
    frames = unit_frames(individual)
    metric = np.swapaxes(frames, 1, 2) @ frames
    outward = np.einsum("nij,nj->ni", metric[parts], points[on_body] - individual.body.centers[parts])
    normals[on_body] = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    return normals


def _shadow(
    individual: Individual,
    points: Float64[np.ndarray, "ray 3"],
    normals: Float64[np.ndarray, "ray 3"],
    diffuse: Float32[np.ndarray, "ray"],
    hits: Hits,
) -> Float32[np.ndarray, "ray"]:
    """Returns the share of diffuse light that arrives; the wall is behind everything and stays lit."""
    share = np.ones(len(points), np.float32)
    candidates = np.flatnonzero((diffuse > 0) & (hits.surface != WALL))
    dark = shadowed(individual, points[candidates] + _LIFT * normals[candidates])
    share[candidates[dark]] = _SHADOW
    return share


def _highlight(individual: Individual, normals: Float64[np.ndarray, "ray 3"], hits: Hits) -> Float32[np.ndarray, "ray"]:
    """Returns the mirror-like reflection of the light on the body (Blinn's half vector)."""
    result = np.zeros(len(normals), np.float32)
    on_body = hits.surface >= 0
    half = individual.surroundings.light - hits.directions[on_body]
    cosine = np.einsum("ni,ni->n", normals[on_body], half) / np.linalg.norm(half, axis=1)
    result[on_body] = _HIGHLIGHT * cosine.clip(0).astype(np.float32) ** _SHININESS
    return result
