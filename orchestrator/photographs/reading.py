"""The files of one photograph: the picture upright, its depth map and its mask over the same pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from g3dr.errors import DataError
from g3dr.pictures import decode_depth, decode_image, orientation_of, turn

OBJECT_PART = 128
"""A mask's gray value from which a pixel belongs to the object."""

_UPRIGHT = 1
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

Decoded = TypeVar("Decoded")
Values = TypeVar("Values", NDArray[np.float32], NDArray[np.bool_])


def read_image(path: Path) -> tuple[NDArray[np.uint8], int]:
    """Reads a picture, upright, and the EXIF orientation that its file had.

    Raises:
        DataError: It cannot be read; the sentence names it.
    """
    return _decoded(path, lambda data: (decode_image(not_heic(data)), orientation_of(data)))


def read_depth(path: Path, image: NDArray[np.uint8], orientation: int) -> NDArray[np.float32]:
    """Reads the depth map of an upright picture; one that was made of the file's pixels before they were turned is turned too.

    Args:
        path: The map.
        image: The picture, upright.
        orientation: EXIF orientation of its file.

    Raises:
        DataError: It cannot be read, has other proportions, or nobody can know whether it has to be turned.
    """
    return _laid_over(path, _decoded(path, decode_depth), image, orientation)


def read_mask(path: Path, image: NDArray[np.uint8], orientation: int) -> NDArray[np.bool_]:
    """Reads a mask, bright where the object is; see `read_depth`."""
    return _laid_over(path, _decoded(path, _decode_mask), image, orientation)


def _laid_over(path: Path, values: Values, image: NDArray[np.uint8], orientation: int) -> Values:
    turned: Values = turn(values, orientation)
    fits, fits_turned = (_same_shape(image.shape[:2], one.shape) for one in (values, turned))
    if not fits and not fits_turned:
        raise DataError(f"{path}: {_size(values)} pixels do not fit a picture of {_size(image)}; allowed: the same proportions")
    if fits and fits_turned and orientation != _UPRIGHT:
        raise DataError(
            f"{path}: fits its picture both before and after that is turned as it asks (EXIF orientation {orientation}); "
            "turn the picture's own pixels, for example with `mogrify -auto-orient`"
        )
    return values if fits else turned


def not_heic(data: bytes) -> bytes:
    """Returns the bytes of a picture file as they are.

    Raises:
        DataError: It is a HEIC picture; says what to do, as the sentence about any other file would not.
    """
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        raise DataError("a HEIC picture, whose patented coding is not read here; save it as JPEG or PNG")
    return data


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _decoded(path: Path, decode: Callable[[bytes], Decoded]) -> Decoded:
    data = _bytes(path)
    try:
        return decode(data)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _decode_mask(data: bytes) -> NDArray[np.bool_]:
    gray = np.asarray(Image.fromarray(decode_image(data)).convert("L"))
    return np.asarray(gray >= OBJECT_PART)


def _same_shape(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tells whether two pictures have the same proportions, up to a pixel of rounding."""
    height = one[0] * other[1] / one[1]
    return abs(height - other[0]) <= max(1.0, other[1] / one[1])


def _size(picture: NDArray[np.generic]) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"
