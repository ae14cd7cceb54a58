"""The object alone, from other cameras: what they see is kept where the input camera saw the object at the same place."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from g3dr.cameras import FOV_DEGREES, RADIUS, camera_rays, camera_to_world
from g3dr.types import Frames

WHITE = 1.0
STREAK = 48
"""One pixel more on either side counts for so many pixels of a frame's side."""


@dataclass(frozen=True)
class Cutout:
    """Puts the object of a mask before white.

    A pixel's surface is carried back to the input picture, and counts as far as the mask says there that it is the object's.

    Attributes:
        mask: Of the input picture's middle square: 1 where the object is, 0 elsewhere.
    """

    mask: Float[Tensor, "side side"]

    @torch.inference_mode()
    def __call__(
        self, frames: Frames, yaw: Float[Tensor, "view"], pitch: Float[Tensor, "view"], fov_degrees: float = FOV_DEGREES
    ) -> Frames:
        """Returns the frames with the object alone.

        Args:
            frames: What cameras see; the batch axis is the view.
            yaw: Of each camera, radians.
            pitch: Of each camera, radians.
            fov_degrees: Angle between the centres of opposite border pixels, degrees.
        """
        share = self._share(frames, yaw, pitch, fov_degrees)
        return replace(frames, rgb=WHITE + share * (frames.rgb - WHITE))

    def _share(
        self, frames: Frames, yaw: Float[Tensor, "view"], pitch: Float[Tensor, "view"], fov_degrees: float
    ) -> Float[Tensor, "view 1 height width"]:
        views, side, device = len(yaw), frames.depth.shape[-1], frames.depth.device
        rays = camera_rays(camera_to_world(yaw.to(device), pitch.to(device)), side, fov_degrees)
        points = rays.origins + frames.depth.reshape(views, -1, 1) * rays.directions
        mask = self.mask.to(device).expand(views, 1, *self.mask.shape)
        share = functional.grid_sample(mask, in_input_picture(points).reshape(views, side, side, 2), align_corners=True)
        return median_of_columns(share, 2 * (side // STREAK) + 1)


def median_of_columns(values: Float[Tensor, "view 1 height width"], rows: int) -> Float[Tensor, "view 1 height width"]:
    """Returns the median of `rows` pixels above and below each other, an odd number.

    Between an outline and what lies behind it models see a surface that nobody saw, drawn out along the rows as the camera turns; the
    border of the object on it is frayed into lines one or two pixels thick. Legs, which are thin the other way, stay.
    """
    padded = functional.pad(values, (0, 0, rows // 2, rows // 2), mode="replicate")
    return padded.unfold(2, rows, 1).median(dim=-1).values


def in_input_picture(points: Float[Tensor, "view ray 3"]) -> Float[Tensor, "view ray 2"]:
    """Returns where the input camera sees points of the world: to the right and downwards, -1 to 1 within its picture."""
    away, up, right = points.unbind(-1)
    half_width = math.tan(math.radians(FOV_DEGREES) / 2) * (away + RADIUS)
    return torch.stack([right, -up], dim=-1) / half_width[..., None]
