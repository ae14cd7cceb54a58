"""Cameras around the box: poses, rays and orbits.

World frame: +y is up, the box is [-1, 1]^3, the frontal camera stands at (-5, 0, 0) and looks along +x with +z to its right.
A camera looks along its own -z, +x to the right, +y up. Angles are radians; yaw and pitch of the frontal camera are pi / 2.
Source: G3DR (CVPR 2024), section 3.2 and its published camera numbers.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.types import Rays

RADIUS = 5.0
FOV_DEGREES = 18.0
FRONTAL_ANGLE = math.pi / 2
ORBIT_YAW = 0.25
ORBIT_PITCH = 0.1


def frontal_pose(batch: int, device: torch.device | str = "cpu") -> tuple[Float[Tensor, "view"], Float[Tensor, "view"]]:
    """Returns yaw and pitch of `batch` copies of the input camera."""
    angles = torch.full((batch,), FRONTAL_ANGLE, device=device)
    return angles, angles.clone()


def orbit_poses(frames: int, device: torch.device | str = "cpu") -> tuple[Float[Tensor, "view"], Float[Tensor, "view"]]:
    """Returns yaw and pitch of one small ellipse around the frontal pose; the last frame equals the first."""
    turn = torch.linspace(0, 2 * math.pi, frames, device=device)
    return FRONTAL_ANGLE + ORBIT_YAW * turn.sin(), FRONTAL_ANGLE + ORBIT_PITCH * turn.cos()


def spherical_position(
    yaw: Float[Tensor, "view"], pitch: Float[Tensor, "view"], radius: float | Float[Tensor, "view"]
) -> Float[Tensor, "view 3"]:
    """Returns points in the world frame.

    Args:
        yaw: Angle around the vertical axis, radians.
        pitch: Angle from straight up, radians.
        radius: Distance from the origin, world units.
    """
    around = torch.stack([-pitch.sin() * yaw.sin(), pitch.cos(), pitch.sin() * yaw.cos()])
    return (radius * around).t()


def camera_to_world(
    yaw: Float[Tensor, "view"],
    pitch: Float[Tensor, "view"],
    radius: float | Float[Tensor, "view"] = RADIUS,
    target: Float[Tensor, "view 3"] | None = None,
) -> Float[Tensor, "view 4 4"]:
    """Returns the poses of cameras that look at the origin, or at `target`.

    Args:
        yaw: Angle around the vertical axis, radians.
        pitch: Angle from straight up, radians; strictly between 0 and pi.
        radius: Distance from the origin, world units.
        target: Points in the world frame to look at, none straight above or below its camera.
    """
    origins = spherical_position(yaw, pitch, radius)
    backward = torch.nn.functional.normalize(origins if target is None else origins - target, dim=-1)
    up = torch.tensor([0.0, 1.0, 0.0], device=yaw.device).expand_as(backward)
    right = torch.nn.functional.normalize(torch.linalg.cross(up, backward), dim=-1)
    rotation = torch.stack([right, torch.linalg.cross(backward, right), backward], dim=-1)
    pose = torch.eye(4, device=yaw.device).repeat(len(yaw), 1, 1)
    pose[:, :3, :3] = rotation
    pose[:, :3, 3] = origins
    return pose


def fov_of_blocks(resolution: int, factor: int) -> float:
    """Returns the angle between the centres of opposite border pixels of a picture that stands for one `factor` times as large.

    Its pixels lie in the middles of blocks of `factor` x `factor` pixels of the large one, as means over these do.

    Args:
        resolution: Side of the small picture, pixels.
        factor: How many times larger the large one is.

    Returns:
        Degrees.
    """
    large = resolution * factor
    return 2 * math.degrees(math.atan(math.tan(math.radians(FOV_DEGREES) / 2) * (large - factor) / (large - 1)))


def _pixel_grid(resolution: int, device: torch.device) -> Float[Tensor, "ray 2"]:
    """Image-plane positions (right, up) of all pixels in [-1, 1], row major; corner pixels lie on the corners."""
    steps = torch.linspace(-1, 1, resolution, device=device)
    up, right = torch.meshgrid(-steps, steps, indexing="ij")
    return torch.stack([right, up], dim=-1).reshape(-1, 2)


def camera_rays(cam2world: Float[Tensor, "view 4 4"], resolution: int, fov_degrees: float = FOV_DEGREES) -> Rays:
    """Returns the rays through all pixels of square pictures.

    Args:
        cam2world: Camera poses.
        resolution: Side of the picture, pixels.
        fov_degrees: Angle between the centres of opposite border pixels, degrees.

    Returns:
        Rays whose batch axis is the view, row major over the picture.
    """
    pixels = _pixel_grid(resolution, cam2world.device)
    focal = 1 / math.tan(math.radians(fov_degrees) / 2)
    local = torch.nn.functional.normalize(torch.cat([pixels, torch.full_like(pixels[:, :1], -focal)], dim=-1), dim=-1)
    directions = torch.einsum("vij,rj->vri", cam2world[:, :3, :3], local)
    origins = cam2world[:, None, :3, 3].expand_as(directions)
    return Rays(origins=origins, directions=directions)
