"""The method's camera in numpy: field of view 18 degrees, radius 5, looking at the origin, +y up."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32, Float64

FIELD_OF_VIEW = np.radians(18.0)
RADIUS = 5.0
FRONTAL = float(np.pi / 2)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        origin: Position in the world.
        rotation: Columns: the camera's right, up and backward axes in the world.
    """

    origin: Float64[np.ndarray, "3"]
    rotation: Float64[np.ndarray, "3 3"]


@dataclass(frozen=True)
class Sight:
    """Directions of rays in the camera's own frame, prepared for tracing.

    Attributes:
        directions: Unit vectors.
        monomials: x^2, y^2, z^2, 2xy, 2xz, 2yz, x, y, z of each direction, on which silhouettes are linear.
    """

    directions: Float64[np.ndarray, "ray 3"]
    monomials: Float32[np.ndarray, "9 ray"]


def look_from(yaw: float = FRONTAL, pitch: float = FRONTAL) -> Camera:
    """Returns the camera at a yaw and pitch, radians; both are pi / 2 for the input view, which is at (-5, 0, 0)."""
    origin = RADIUS * np.array([np.sin(pitch) * np.sin(-yaw), np.cos(pitch), np.sin(pitch) * np.cos(yaw)])
    forward = -origin / RADIUS
    right = np.array([-forward[2], 0.0, forward[0]])
    right /= np.hypot(right[0], right[2])
    return Camera(origin, np.stack([right, np.cross(right, forward), -forward], axis=1))


def sight(directions: Float[np.ndarray, "ray 3"]) -> Sight:
    """Prepares unit vectors in the camera's frame for tracing."""
    x, y, z = directions.astype(np.float64, copy=False).T
    monomials = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z, x, y, z]).astype(np.float32)
    return Sight(directions, monomials)


@lru_cache(maxsize=8)
def pixel_sight(resolution: int, supersampling: int) -> Sight:
    """Returns the rays of a picture: first through the pixels' middles, then `supersampling`^2 grids of samples inside the pixels.

    Every grid is row major. Pixel middles reach the corners of the field of view, as the method's grid does.
    """
    offsets = ((np.arange(supersampling) + 0.5) / supersampling - 0.5) * 2 / (resolution - 1)
    shifts = [(0.0, 0.0)] + [(across, down) for across in offsets for down in offsets]
    prepared = sight(np.concatenate([_grid(resolution, across, down) for across, down in shifts]))
    # Shared by every caller.
    prepared.directions.flags.writeable = False
    prepared.monomials.flags.writeable = False
    return prepared


def _grid(resolution: int, across: float, down: float) -> Float64[np.ndarray, "ray 3"]:
    line = np.linspace(-1.0, 1.0, resolution)
    x, y = np.meshgrid(line + across, -line + down)
    directions = np.stack([x, y, np.full_like(x, -1 / np.tan(FIELD_OF_VIEW / 2))], axis=-1).reshape(-1, 3)
    return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))
