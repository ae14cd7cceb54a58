"""Picture and depth map to the same square, kept aligned."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from g3dr.pictures import encode_depth, encode_image


def crop_middle(picture: NDArray[np.generic]) -> NDArray[np.generic]:
    """Cuts the largest square from the middle of an array of height x width (x channels)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def resize_image(image: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """Crops and resizes a picture, height x width x 3; the mean of the pixels that fall into one."""
    square = Image.fromarray(np.ascontiguousarray(crop_middle(image)))
    if square.width == resolution:
        return np.asarray(square)
    method = Image.Resampling.BOX if square.width > resolution else Image.Resampling.BICUBIC
    return np.asarray(square.resize((resolution, resolution), method))


def resize_nearest(picture: NDArray[np.generic], resolution: int) -> NDArray[np.generic]:
    """Crops and resizes depth or masks, height x width.

    Takes the pixel under the middle of each new one: a mean over an edge would be a surface that nothing in the scene has.
    """
    square = crop_middle(picture)
    at = ((np.arange(resolution) + 0.5) * square.shape[0] / resolution).astype(np.int64)
    nearest: NDArray[np.generic] = square[at[:, None], at]
    return nearest


def crop_and_encode(image: NDArray[np.uint8], depth: NDArray[np.floating], resolution: int) -> tuple[bytes, bytes]:
    """Crops and resizes both to `resolution` pixels a side and encodes them as PNG."""
    small = np.asarray(resize_nearest(depth, resolution), dtype=np.float32)
    return encode_image(resize_image(image, resolution), "png"), encode_depth(small)
