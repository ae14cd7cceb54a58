"""A picture with its depth, as the reconstruction takes it, and what there is of it before anything was estimated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.shards.cropping import resize_image, resize_nearest


@dataclass(frozen=True)
class RgbdPicture:
    """A picture of any size with its depth and mask: the same middle square, but not necessarily of the same size.

    Attributes:
        image: Red, green, blue, 0 to 255, upright.
        depth: Distance along the ray, world units in [4, 6).
        mask: Where the object is.
        depth_from: Short name of the estimator that the depth is from; empty for depth that came with the picture.
        mask_from: Likewise of the background model.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    depth_from: str = ""
    mask_from: str = ""

    def image_at(self, resolution: int) -> NDArray[np.uint8]:
        """Returns the square in the middle at `resolution` pixels a side."""
        return resize_image(self.image, resolution)

    def depth_at(self, resolution: int) -> NDArray[np.float32]:
        """Returns the depth of the same square."""
        return np.asarray(resize_nearest(self.depth, resolution), dtype=np.float32)

    def mask_at(self, resolution: int) -> NDArray[np.bool_] | None:
        """Returns the mask of the same square, if there is one."""
        return None if self.mask is None else np.asarray(resize_nearest(self.mask, resolution), dtype=np.bool_)


@dataclass(frozen=True)
class OpenedPhotograph:
    """What the files of a photograph hold.

    Attributes:
        image: As in `RgbdPicture`.
        depth: As in `RgbdPicture`; None if it is to be estimated.
        mask: As in `RgbdPicture`.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32] | None
    mask: NDArray[np.bool_] | None
