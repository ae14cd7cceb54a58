"""Pictures of one object from the published orbit."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from g3dr.cameras import FOV_DEGREES, orbit_poses
from g3dr.export.cutout import Cutout
from g3dr.model import G3DR
from g3dr.render import NodeTable
from g3dr.views import render_poses

Map = Callable[[Callable[[int], Any], Iterable[int]], Iterable[Any]]


def to_bytes(rgb: Float[Tensor, "view 3 height width"]) -> UInt8[np.ndarray, "view height width 3"]:
    """Turns colours in [-1, 1] into pictures of 0 to 255."""
    pictures = ((rgb.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.asarray(pictures.movedim(1, -1).cpu().numpy())


def orbit(
    model: G3DR,
    table: NodeTable,
    frames: int,
    size: int,
    progress: Callable[[], None] = lambda: None,
    *,
    each: Map = map,
    fov_degrees: float = FOV_DEGREES,
    cutout: Cutout | None = None,
) -> UInt8[np.ndarray, "frame height width 3"]:
    """Renders one round of the published orbit; the frame after the last would be the first.

    Args:
        model: The model that encoded the object.
        table: One object, whose table serves all frames.
        frames: How many.
        size: Side of the pictures, pixels.
        progress: Called after every frame.
        each: Computes the frames in order: one after the other, or as the `map` of an executor side by side.
        fov_degrees: Angle between the centres of opposite border pixels, degrees.
        cutout: Leaves the object alone; None for all that the model sees.
    """
    yaw, pitch = orbit_poses(frames + 1)

    def render(frame: int) -> UInt8[np.ndarray, "height width 3"]:
        pose = yaw[frame, None], pitch[frame, None]
        view = render_poses(model, table, *pose, size, fov_degrees=fov_degrees)
        view = view if cutout is None else cutout(view, *pose, fov_degrees)
        picture: UInt8[np.ndarray, "height width 3"] = to_bytes(view.rgb)[0]
        return picture

    film = []
    for picture in each(render, range(frames)):
        film.append(picture)
        progress()
    return np.stack(film)
