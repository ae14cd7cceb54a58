"""Turning objects: an MP4, an animated WebP or GIF to keep, and a film strip that a page can play, pause and scrub."""

import itertools
import tempfile
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from g3dr.errors import DataError

# WebP pictures end at 16383 pixels a side.
_LONGEST_STRIP = 16_383
_SHORTEST_GIF_FRAME = 2  # hundredths of a second
_CONSTANT_QUALITY = "18"  # of x264: hardly to be told from the frames themselves

Film = UInt8[np.ndarray, "frame height width 3"]


def animation(frames: Film, fps: float = 12.0, *, lossless: bool = True) -> bytes:
    """Encodes frames as an endless animated WebP.

    Args:
        frames: RGB frames in order.
        fps: Frames per second, more than 0.
        lossless: Every pixel as it is; otherwise high quality at a fraction of the size.

    Raises:
        DataError: No frames, or a rate that is not positive.
    """
    _check(frames, fps)
    first, *others = [Image.fromarray(frame) for frame in frames]
    buffer = BytesIO()
    quality = {"lossless": True} if lossless else {"quality": 90, "method": 4}
    first.save(buffer, "WEBP", save_all=True, append_images=others, duration=round(1000 / fps), loop=0, **quality)
    return buffer.getvalue()


def gif(frames: Film, fps: float = 12.0) -> bytes:
    """Encodes frames as an endless GIF, for places that take no WebP: 256 colours for all of the film, so that it does not flicker.

    Args:
        frames: RGB frames in order.
        fps: Frames per second, more than 0; a GIF counts hundredths of a second, and viewers slow down what has fewer than two.

    Raises:
        DataError: No frames, or a rate that is not positive.
    """
    _check(frames, fps)
    palette = Image.fromarray(np.concatenate(list(frames))).quantize(256, Image.Quantize.MEDIANCUT, kmeans=1)
    first, *others = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
    buffer = BytesIO()
    duration = 10 * max(_SHORTEST_GIF_FRAME, round(100 / fps))
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=duration, loop=0, optimize=False, disposal=1)
    return buffer.getvalue()


def video(frames: Film, fps: float = 12.0, rounds: int = 1) -> bytes:
    """Encodes frames as MP4 (H.264, 4:2:0), which every browser and phone plays, from the first byte on.

    Args:
        frames: RGB frames in order; an odd side gets its border pixels twice, since H.264 wants even ones.
        fps: Frames per second, more than 0.
        rounds: How often the frames are shown, 1 or more; players that do not repeat show a turning object long enough.

    Raises:
        DataError: No frames, a rate that is not positive, or no round.
    """
    _check(frames, fps)
    if rounds < 1:
        raise DataError(f"a video needs at least one round, got {rounds}")
    import av  # noqa: PLC0415  (loads the codecs, needed for videos alone)

    even = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)), mode="edge")
    # The index goes to the front in a second pass over the file, which FFmpeg opens by its name.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with av.open(path, "w", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000), options={"crf": _CONSTANT_QUALITY})
            stream.height, stream.width = even.shape[1:3]
            stream.pix_fmt = "yuv420p"
            for frame in itertools.chain.from_iterable(itertools.repeat(even, rounds)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        return path.read_bytes()


def _check(frames: Film, fps: float) -> None:
    if len(frames) == 0 or not fps > 0:
        raise DataError(f"an animation needs frames and a positive rate, got {len(frames)} frames at {fps} a second")


def film_strip(frames: Film, most_frames: int = 48) -> UInt8[np.ndarray, "height width_of_all 3"]:
    """Lays frames side by side; drops frames evenly where there are too many for one picture.

    Raises:
        DataError: No frames.
    """
    if len(frames) == 0:
        raise DataError("a film strip needs at least one frame")
    count = max(1, min(len(frames), most_frames, _LONGEST_STRIP // frames.shape[2]))
    kept = frames[np.arange(count) * len(frames) // count]
    return np.concatenate(list(kept), axis=1)
