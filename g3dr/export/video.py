"""Turning objects: an animated WebP to keep, and a film strip that a page can play, pause and scrub."""

from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from g3dr.errors import DataError

# WebP pictures end at 16383 pixels a side.
_LONGEST_STRIP = 16_383


def animation(frames: UInt8[np.ndarray, "frame height width 3"], fps: float = 12.0) -> bytes:
    """Encodes frames as an endless, lossless animated WebP.

    Args:
        frames: RGB frames in order.
        fps: Frames per second, more than 0.

    Raises:
        DataError: No frames, or a rate that is not positive.
    """
    if len(frames) == 0 or not fps > 0:
        raise DataError(f"an animation needs frames and a positive rate, got {len(frames)} frames at {fps} a second")
    first, *others = [Image.fromarray(frame) for frame in frames]
    buffer = BytesIO()
    first.save(buffer, "WEBP", save_all=True, append_images=others, duration=round(1000 / fps), loop=0, lossless=True)
    return buffer.getvalue()


def film_strip(frames: UInt8[np.ndarray, "frame height width 3"], most_frames: int = 48) -> UInt8[np.ndarray, "height width_of_all 3"]:
    """Lays frames side by side; drops frames evenly where there are too many for one picture.

    Raises:
        DataError: No frames.
    """
    if len(frames) == 0:
        raise DataError("a film strip needs at least one frame")
    count = max(1, min(len(frames), most_frames, _LONGEST_STRIP // frames.shape[2]))
    kept = frames[np.arange(count) * len(frames) // count]
    return np.concatenate(list(kept), axis=1)
