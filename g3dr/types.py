"""The hand-overs between rooms: small frozen dataclasses of tensors.

Shape legend: batch (images), view, ray, sample, plane, channel, height, width.
World frame: the object sits in the box [-1, 1]^3, +y is up, the input camera at (-5, 0, 0) looks along +x.
Depth is always the distance along the ray in world units, 4 (near) to 6 (far).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Images with their depth, as the generator sees them.

    Attributes:
        images: RGB in [-1, 1].
        depths: Distance along the ray, world units in [4, 6).
        keys: The row's key in its dataset, for error messages and pictures.
        species: The row's species (class).
    """

    images: Float[Tensor, "batch 3 height width"]
    depths: Float[Tensor, "batch 1 height width"]
    keys: Sequence[str]
    species: Sequence[str]

    def to(self, device: torch.device | str) -> "Batch":
        """Returns the batch with its tensors on `device`."""
        return Batch(self.images.to(device), self.depths.to(device), self.keys, self.species)


@dataclass(frozen=True)
class Rays:
    """Rays in the world frame.

    Attributes:
        origins: Start points, world units.
        directions: Unit vectors.
    """

    origins: Float[Tensor, "batch ray 3"]
    directions: Float[Tensor, "batch ray 3"]


@dataclass(frozen=True)
class Rendering:
    """What the volume renderer returns for rays.

    Attributes:
        rgb: Colour in [-1, 1].
        depth: Expected distance along the ray, world units.
        opacity: Sum of the compositing weights, in [0, 1].
    """

    rgb: Float[Tensor, "batch ray 3"]
    depth: Float[Tensor, "batch ray"]
    opacity: Float[Tensor, "batch ray"]

    def frames(self, height: int, width: int) -> "Frames":
        """Reshapes rays that cover a whole image (row major) to pictures."""
        batch = self.rgb.shape[0]
        return Frames(
            rgb=self.rgb.reshape(batch, height, width, 3).permute(0, 3, 1, 2),
            depth=self.depth.reshape(batch, 1, height, width),
            opacity=self.opacity.reshape(batch, 1, height, width),
        )


@dataclass(frozen=True)
class Frames:
    """Rendered or true pictures: rgb in [-1, 1], depth along the ray in world units, opacity in [0, 1]."""

    rgb: Float[Tensor, "batch 3 height width"]
    depth: Float[Tensor, "batch 1 height width"]
    opacity: Float[Tensor, "batch 1 height width"]


@dataclass(frozen=True)
class NovelTruth:
    """The truth of one object from other cameras; only procedural (or multi-view) data has it.

    Attributes:
        yaw: Camera yaw per view, radians (frontal is pi / 2).
        pitch: Camera pitch per view, radians (frontal is pi / 2).
        rgb: Pictures in [-1, 1].
        depth: Distance along the ray, world units; exact where `in_box` holds, clipped to [4, 6) elsewhere.
        foreground: The ray hits the object, not the ground or the wall.
        in_box: The hit point lies in the box [-1, 1]^3.
        covisible: The hit point is also seen by the input camera.
    """

    yaw: Float[Tensor, "view"]
    pitch: Float[Tensor, "view"]
    rgb: Float[Tensor, "view 3 height width"]
    depth: Float[Tensor, "view 1 height width"]
    foreground: Bool[Tensor, "view 1 height width"]
    in_box: Bool[Tensor, "view 1 height width"]
    covisible: Bool[Tensor, "view 1 height width"]
