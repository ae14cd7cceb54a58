"""Pictures of individuals: from the input camera, and from any other with what the input camera knows about it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from g3dr.procedural.camera import FIELD_OF_VIEW, Camera, look_from, pixel_sight, sight
from g3dr.procedural.individuals import Individual
from g3dr.procedural.shading import shade
from g3dr.procedural.tracing import Hits, trace

# A point counts as seen by the input camera if nothing is nearer by more than this, world units.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Picture:
    """What a camera sees.

    Attributes:
        rgb: Colour in [0, 1], averaged over the samples of a pixel.
        depth: Distance along the ray through the pixel's middle, world units.
        foreground: That ray hits the body.
    """

    rgb: Float32[np.ndarray, "height width 3"]
    depth: Float64[np.ndarray, "height width"]
    foreground: Bool[np.ndarray, "height width"]


@dataclass(frozen=True)
class NovelView:
    """What another camera sees, and which of it the input camera knows.

    Attributes:
        picture: Colour, depth, foreground.
        in_box: The point at the pixel's middle lies in the box [-1, 1]^3.
        covisible: The input camera sees that point too.
    """

    picture: Picture
    in_box: Bool[np.ndarray, "height width"]
    covisible: Bool[np.ndarray, "height width"]


def render(individual: Individual, camera: Camera, resolution: int, *, supersampling: int = 2, shadows: bool = True) -> Picture:
    """Draws an individual.

    Args:
        individual: What is seen.
        camera: From where.
        resolution: Side of the picture, pixels.
        supersampling: Colour samples per pixel along each side.
        shadows: Whether the body casts shadows.
    """
    hits = trace(individual, camera, pixel_sight(resolution, supersampling))
    middles = resolution**2
    samples = Hits(hits.distance[middles:], hits.surface[middles:], hits.directions[middles:])
    colors = shade(individual, camera, samples, shadows=shadows)
    return Picture(
        rgb=colors.reshape(supersampling**2, resolution, resolution, 3).mean(0),
        depth=hits.distance[:middles].reshape(resolution, resolution),
        foreground=(hits.surface[:middles] >= 0).reshape(resolution, resolution),
    )


def render_novel(
    individual: Individual, yaw: float, pitch: float, resolution: int, *, supersampling: int = 2, shadows: bool = True
) -> NovelView:
    """Draws an individual from another camera.

    Args:
        individual: What is seen.
        yaw: Camera yaw, radians; pi / 2 is the input view.
        pitch: Camera pitch, radians; pi / 2 is the input view.
        resolution: Side of the picture, pixels.
        supersampling: Colour samples per pixel along each side.
        shadows: Whether the body casts shadows.
    """
    camera = look_from(yaw, pitch)
    picture = render(individual, camera, resolution, supersampling=supersampling, shadows=shadows)
    directions = pixel_sight(resolution, supersampling).directions[: resolution**2] @ camera.rotation.T
    points = camera.origin + picture.depth.reshape(-1, 1) * directions
    shape = (resolution, resolution)
    return NovelView(
        picture=picture,
        in_box=(np.abs(points).max(1) <= 1).reshape(shape),
        covisible=_seen_by(individual, look_from(), points).reshape(shape),
    )


def _seen_by(individual: Individual, camera: Camera, points: Float64[np.ndarray, "point 3"]) -> Bool[np.ndarray, "point"]:
    offsets = (points - camera.origin) @ camera.rotation
    distances = np.linalg.norm(offsets, axis=1)
    reached = trace(individual, camera, sight(offsets / distances[:, None])).distance > distances - _TOLERANCE
    # The outermost pixels' rays lie exactly on the border.
    in_picture = np.abs(offsets[:, :2]).max(1) <= -offsets[:, 2] * np.tan(FIELD_OF_VIEW / 2) * (1 + 1e-9)
    return np.asarray(reached & in_picture)
