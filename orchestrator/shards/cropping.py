"""Picture and depth map to the same frame, kept aligned to the pixel.

A picture's pixel becomes the mean of the area that falls into it. Depth and masks take the pixel under the middle of the new one: a
mean over an edge would be a surface that nothing in the scene has, half-way between an animal and the hill behind it. Along a straight
edge the two agree: the middle lies on the side that covers most of the pixel.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from g3dr.pictures import encode_depth, encode_image
from orchestrator.experiment.folder_config import Crop

WHITE = 255


def crop_middle(picture: NDArray[np.generic]) -> NDArray[np.generic]:
    """Cuts the largest square from the middle of an array of height x width (x channels)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def pad_square(picture: NDArray[np.generic], fill: float) -> NDArray[np.generic]:
    """Adds `fill` on both short sides, so that the whole of an array of height x width (x channels) is a square."""
    height, width = picture.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    around = ((top, side - height - top), (left, side - width - left), (0, 0))[: picture.ndim]
    return np.pad(picture, around, constant_values=fill)


def framed(picture: NDArray[np.generic], crop: Crop, fill: float) -> NDArray[np.generic]:
    """Crops, pads or keeps an array of height x width (x channels).

    Args:
        picture: Image, depth map or mask; the same `crop` keeps them aligned.
        crop: See `FolderConfig`.
        fill: What `pad` adds.
    """
    if crop == "none":
        return picture
    return crop_middle(picture) if crop == "centre" else pad_square(picture, fill)


def size_at(picture: NDArray[np.generic], resolution: int) -> tuple[int, int]:
    """Returns width and height after resizing the shorter side of an array of height x width (x channels) to `resolution`."""
    height, width = picture.shape[:2]
    short = min(height, width)
    return round(width * resolution / short), round(height * resolution / short)


def resize_area(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resizes a picture, height x width x 3, to width x height; the mean of the pixels that fall into one."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    if picture.size == size:
        return np.asarray(picture)
    method = Image.Resampling.BOX if picture.width > size[0] else Image.Resampling.BICUBIC
    return np.asarray(picture.resize(size, method))


def pick_nearest(picture: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """Resizes depth or masks, height x width, to width x height; the pixel under the middle of each new one."""
    columns, rows = (((np.arange(new) + 0.5) * old / new).astype(np.int64) for new, old in zip(size, picture.shape[::-1], strict=True))
    nearest: NDArray[np.generic] = picture[rows[:, None], columns]
    return nearest


def resize_image(image: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """Crops a picture, height x width x 3, to the middle square and resizes it; the mean of the pixels that fall into one."""
    return resize_area(np.asarray(crop_middle(image), dtype=np.uint8), (resolution, resolution))


def resize_nearest(picture: NDArray[np.generic], resolution: int) -> NDArray[np.generic]:
    """Crops depth or masks, height x width, to the middle square and resizes them; the pixel under the middle of each new one."""
    return pick_nearest(crop_middle(picture), (resolution, resolution))


def crop_and_encode(image: NDArray[np.uint8], depth: NDArray[np.floating], resolution: int) -> tuple[bytes, bytes]:
    """Crops and resizes both to `resolution` pixels a side and encodes them as PNG."""
    small = np.asarray(resize_nearest(depth, resolution), dtype=np.float32)
    return encode_image(resize_image(image, resolution), "png"), encode_depth(small)
