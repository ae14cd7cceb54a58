"""Plain JPEG and PNG files by torchvision's decoders: the same pixels as Pillow's in less processor time.

Whatever needs judgement (transparency, palettes, EXIF orientation, CMYK, other formats, damage) goes to `g3dr.pictures`.
torchvision has deprecated these decoders; where they are missing, Pillow gives the same pixels more slowly.
Only its library with the decoders is loaded: importing torchvision itself brings torch's compiler and sympy, 6 of the 9 seconds of
processor time in which a worker starts.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from g3dr.pictures import DEPTH_LEVELS, DEPTH_NEAR, DEPTH_RANGE, MAX_PIXELS, decode_depth, decode_image

_UNCHANGED, _RGB = 0, 3
_PNG_START, _PNG_GRAY, _PNG_RGB = b"\x89PNG\r\n\x1a\n", 0, 2
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_FRAMES, _SCAN, _LONE = frozenset({0xC0, 0xC1, 0xC2}), 0xDA, frozenset({0x01, *range(0xD0, 0xDA)})
_ANY_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF, _ADOBE = 0xE1, 0xEE
_LIBRARIES = (".so", ".pyd", ".dylib")


def decode_image_fast(data: bytes) -> NDArray[np.uint8]:
    """Decodes a picture to the pixels of `g3dr.pictures.decode_image`.

    Raises:
        DataError: See there.
    """
    if _is_plain_png(data, bits=8, colors=_PNG_RGB):
        pixels = _decoded("decode_png", data, _RGB)
    else:
        pixels = _decoded("decode_jpeg", data, _RGB) if _is_plain_jpeg(data) else None
    return decode_image(data) if pixels is None else pixels.transpose(1, 2, 0)


def decode_depth_fast(data: bytes) -> NDArray[np.float32]:
    """Decodes a depth map to the distances of `g3dr.pictures.decode_depth`.

    Raises:
        DataError: See there.
    """
    levels = _decoded("decode_png", data, _UNCHANGED) if _is_plain_png(data, bits=16, colors=_PNG_GRAY) else None
    if levels is None:
        return decode_depth(data)
    depth: NDArray[np.float32] = levels[0].astype(np.float32)
    # Both numbers are powers of two, so that one factor gives the same bits as two.
    depth *= np.float32(DEPTH_RANGE / DEPTH_LEVELS)
    depth += np.float32(DEPTH_NEAR)
    return depth


def _decoded(name: str, data: bytes, mode: int) -> NDArray[Any] | None:
    """Returns channel x height x width, or None where the decoder is missing or refuses: then Pillow finds the words."""
    decoder = _decoder(name)
    if decoder is None:
        return None
    try:
        # A copy, because torch warns of memory that cannot be written, although nobody writes.
        pixels: NDArray[Any] = decoder(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode, False).numpy()  # noqa: FBT003
    except RuntimeError:
        return None
    return pixels


@cache
def _decoder(name: str) -> Callable[..., torch.Tensor] | None:
    """Finds an operator of torchvision; registers them first where nobody has imported it."""
    if not hasattr(torch.ops.image, name):
        _load_decoders()
    return getattr(torch.ops.image, name, None)


def _load_decoders() -> None:
    package = find_spec("torchvision")
    folders = (package.submodule_search_locations or ()) if package else ()
    for library in (path for folder in folders for path in sorted(Path(folder).glob("image*")) if path.suffix in _LIBRARIES):
        with suppress(OSError):
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]


def _is_plain_png(data: bytes, *, bits: int, colors: int) -> bool:
    """Tells whether a PNG holds just these channels: no transparent colour, no EXIF."""
    if not data.startswith(_PNG_START) or data[24:26] != bytes((bits, colors)):
        return False
    header = data[: data.find(b"IDAT")]
    return _pixels(data[16:20], data[20:24]) <= MAX_PIXELS and b"tRNS" not in header and b"eXIf" not in data


def _is_plain_jpeg(data: bytes) -> bool:
    """Tells whether a JPEG is whole and has one or three channels in the usual colours, upright."""
    if not (data.startswith(_JPEG_START) and data.endswith(_JPEG_END)):
        return False
    for marker, content in _segments(data):
        if marker in (_EXIF, _ADOBE):
            return False
        if marker in _ANY_FRAME:
            plain = marker in _FRAMES and content[0] == 8 and content[5] in (1, 3)
            return plain and _pixels(content[1:3], content[3:5]) <= MAX_PIXELS
    return False


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Lists the markers of a JPEG before its first scan, with what follows their length (ITU T.81, annex B)."""
    at = len(_JPEG_START)
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN or marker in _LONE:
            return
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _pixels(width: bytes, height: bytes) -> int:
    return int.from_bytes(width, "big") * int.from_bytes(height, "big")
