"""The hand-overs between rooms: small frozen dataclasses of tensors.

Shape legend: batch (images), view, ray, sample, plane, channel, height, width.
World frame: the object sits in the box [-1, 1]^3, +y is up, the input camera at (-5, 0, 0) looks along +x.
Depth is always the distance along the ray in world units, 4 (near) to 6 (far).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
        digests: Equal ones mean equal images; empty where nobody asks.
    """

    images: Float[Tensor, "batch 3 height width"]
    depths: Float[Tensor, "batch 1 height width"]
    keys: Sequence[str]
    species: Sequence[str]
    digests: Sequence[bytes] = ()

    def to(self, device: torch.device | str) -> "Batch":
        """Returns the batch with its tensors on `device`."""
        return replace(self, images=self.images.to(device), depths=self.depths.to(device))

    def part(self, rows: slice) -> "Batch":
        """Returns some of its images."""
        return Batch(self.images[rows], self.depths[rows], self.keys[rows], self.species[rows], self.digests[rows])


@dataclass(frozen=True)
class Conditioning:
    """What frozen networks or names say about the images of a batch, before the generator's own layers see it.

    Attributes:
        embedding: One vector per image, of mean 0 and deviation 1, or a one-hot class; zeros where nothing is known.
        stages: Feature maps, one per level of the encoder from the first on, each at its level's size.
    """

    embedding: Float[Tensor, "batch feature"] | None = None
    stages: Sequence[Float[Tensor, "batch _channel _height _width"]] = ()


@dataclass(frozen=True)
class Guidance:
    """What conditioning adds inside of the generator.

    Attributes:
        embedding: Added to the embedding that scales and shifts the residual blocks.
        levels: Added to the input of each level of the encoder.
    """

    embedding: Float[Tensor, "batch channel"] | None = None
    levels: Sequence[Float[Tensor, "batch _channel _height _width"]] = ()


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
        semantics: Semantic channels, composited onto zeros; None if the model has none.
        spread: Variance of the distances that the ray sees, world units squared: near 0 at a surface, large in a fog; None where
            nobody kept it.
    """

    rgb: Float[Tensor, "batch ray 3"]
    depth: Float[Tensor, "batch ray"]
    opacity: Float[Tensor, "batch ray"]
    semantics: Float[Tensor, "batch ray semantic"] | None = None
    spread: Float[Tensor, "batch ray"] | None = None

    def frames(self, height: int, width: int) -> "Frames":
        """Reshapes rays that cover a whole image (row major) to pictures."""
        batch, semantics, spread = self.rgb.shape[0], self.semantics, self.spread
        return Frames(
            rgb=self.rgb.reshape(batch, height, width, 3).permute(0, 3, 1, 2),
            depth=self.depth.reshape(batch, 1, height, width),
            opacity=self.opacity.reshape(batch, 1, height, width),
            semantics=None if semantics is None else semantics.transpose(1, 2).reshape(batch, -1, height, width),
            spread=None if spread is None else spread.reshape(batch, 1, height, width),
        )


@dataclass(frozen=True)
class Frames:
    """Rendered or true pictures: as in Rendering, and None likewise."""

    rgb: Float[Tensor, "batch 3 height width"]
    depth: Float[Tensor, "batch 1 height width"]
    opacity: Float[Tensor, "batch 1 height width"]
    semantics: Float[Tensor, "batch semantic height width"] | None = None
    spread: Float[Tensor, "batch 1 height width"] | None = None


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
