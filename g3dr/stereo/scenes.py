"""Rectified pairs of procedural animals, with the true disparity of every pixel.

The second camera stands to the right of the input camera and looks the same way. Its picture is cut so that what lies at the far end
of the box has no disparity: pixels are then spent on the differences that there are.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64

from g3dr.errors import ConfigError
from g3dr.procedural.camera import FIELD_OF_VIEW, RADIUS, Camera, Sight, look_from, pixel_sight, sight
from g3dr.procedural.individuals import Individual
from g3dr.procedural.rendering import render
from g3dr.procedural.shading import shade
from g3dr.procedural.tracing import Hits, trace

NEAREST, FARTHEST = RADIUS - 1, RADIUS + 1
"""Planar depth of the box, world units: what lies at `FARTHEST` has disparity 0."""

_SIDE_TANGENT = float(np.tan(FIELD_OF_VIEW / 2))
# A point counts as seen by the second camera if nothing is nearer by more than this, world units.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class StereoPair:
    """Two pictures from cameras side by side.

    Attributes:
        left: Colour in [0, 1] from the input camera.
        right: The same from the camera to its right.
        disparity: Pixels by which the middle of each left pixel lies further left in the right picture.
        visible: The right picture shows the same point: it is not hidden and not beyond the border.
    """

    left: Float32[np.ndarray, "height width 3"]
    right: Float32[np.ndarray, "height width 3"]
    disparity: Float64[np.ndarray, "height width"]
    visible: Bool[np.ndarray, "height width"]


def focal_length(resolution: int) -> float:
    """Returns the focal length in pixels of pictures with `resolution` pixels a side."""
    return (resolution - 1) / 2 / _SIDE_TANGENT


def largest_disparity(resolution: int, baseline: float) -> int:
    """Returns the whole number of pixels that no disparity of anything in the box exceeds.

    Args:
        resolution: Side of the pictures, pixels.
        baseline: Distance of the cameras, world units.
    """
    return int(np.ceil(focal_length(resolution) * baseline * (1 / NEAREST - 1 / FARTHEST)))


def make_pair(individual: Individual, resolution: int, baseline: float = 0.5, supersampling: int = 2) -> StereoPair:
    """Draws an individual from the input camera and from one to its right.

    Args:
        individual: What is seen.
        resolution: Side of the pictures, pixels.
        baseline: Distance of the cameras, world units; more than 0, at most 2.
        supersampling: Colour samples per pixel along each side.
    """
    if not 0 < baseline <= 2:
        raise ConfigError("stereo.baseline", baseline, "more than 0, at most 2 world units")
    camera = look_from()
    second = replace(camera, origin=camera.origin + baseline * camera.rotation[:, 0])
    picture = render(individual, camera, resolution, supersampling=supersampling)
    directions = pixel_sight(resolution, supersampling).directions[: resolution**2]
    distance = picture.depth.reshape(-1)
    planar = distance * -directions[:, 2]
    disparity = focal_length(resolution) * baseline * (1 / planar - 1 / FARTHEST)
    points = camera.origin + distance[:, None] * (directions @ camera.rotation.T)
    columns = np.tile(np.arange(resolution), resolution) - disparity
    seen = _reaches(individual, second, points) & (columns >= 0) & (columns <= resolution - 1)
    shape = (resolution, resolution)
    right = _colors(individual, second, _cut(resolution, supersampling, baseline), resolution, supersampling)
    return StereoPair(picture.rgb, right, disparity.reshape(shape), seen.reshape(shape))


def _cut(resolution: int, supersampling: int, baseline: float) -> Sight:
    """Returns the second camera's rays: those of the input camera, turned to the left so that both meet at the far end of the box."""
    directions = pixel_sight(resolution, supersampling).directions[resolution**2 :]
    plane = directions / -directions[:, 2:]
    plane[:, 0] -= baseline / FARTHEST
    return sight(plane / np.linalg.norm(plane, axis=1, keepdims=True))


def _colors(
    individual: Individual, camera: Camera, rays: Sight, resolution: int, supersampling: int
) -> Float32[np.ndarray, "height width 3"]:
    hits: Hits = trace(individual, camera, rays)
    colors = shade(individual, camera, hits, shadows=True)
    return np.asarray(colors.reshape(supersampling**2, resolution, resolution, 3).mean(0))


def _reaches(individual: Individual, camera: Camera, points: Float64[np.ndarray, "point 3"]) -> Bool[np.ndarray, "point"]:
    """Tells of which points nothing lies in front."""
    offsets = (points - camera.origin) @ camera.rotation
    distances = np.linalg.norm(offsets, axis=1)
    return np.asarray(trace(individual, camera, sight(offsets / distances[:, None])).distance > distances - _TOLERANCE)
