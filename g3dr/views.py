"""Whole pictures of one encoded object, from any cameras."""

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.cameras import FOV_DEGREES, camera_rays, camera_to_world
from g3dr.model import G3DR
from g3dr.render import NodeTable
from g3dr.types import Frames, Rays, Rendering


@torch.inference_mode()
def render_poses(
    model: G3DR,
    table: NodeTable,
    yaw: Float[Tensor, "view"],
    pitch: Float[Tensor, "view"],
    resolution: int,
    *,
    fov_degrees: float = FOV_DEGREES,
) -> Frames:
    """Renders one object from several cameras.

    Args:
        model: The model that encoded the object.
        table: One object.
        yaw: Camera yaw per view, radians; pi / 2 is the input view.
        pitch: Camera pitch per view, radians; pi / 2 is the input view.
        resolution: Side of the pictures, pixels.
        fov_degrees: Angle between the centres of opposite border pixels, degrees.

    Returns:
        Frames whose batch axis is the view.
    """
    device = table.rows.device
    views = camera_rays(camera_to_world(yaw.to(device), pitch.to(device)), resolution, fov_degrees)
    rays = Rays(views.origins.reshape(1, -1, 3), views.directions.reshape(1, -1, 3))
    rendering = model.render(table, rays)
    count, semantics = len(yaw), rendering.semantics
    return Rendering(
        rgb=rendering.rgb.reshape(count, -1, 3),
        depth=rendering.depth.reshape(count, -1),
        opacity=rendering.opacity.reshape(count, -1),
        semantics=None if semantics is None else semantics.reshape(count, -1, semantics.shape[-1]),
    ).frames(resolution, resolution)
