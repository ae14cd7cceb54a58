"""Pictures, depth maps and masks as bytes, and back.

Depth is the distance along the ray in world units, 4 (near) to 6 (far); its file is a 16-bit gray PNG `p` with
`depth = p / 65536 * 2 + 4`, the format of the method's authors. An 8-bit file would silently give 4 everywhere: it is refused.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Num, Shaped, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from g3dr.errors import DataError

DEPTH_NEAR = 4.0
DEPTH_RANGE = 2.0
DEPTH_LEVELS = 65536
# Pillow's own threshold for a decompression bomb; as RGB 268 MB.
MAX_PIXELS = 89_478_485

_FOREGROUND, _IN_BOX, _COVISIBLE = 1, 2, 4
_MODES_WITH_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
# Pillow knows more, but some of those run other programs (EPS) or hold no photographs.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")
_ORIENTATION = 0x0112
_UPRIGHT = 1
# What each EXIF orientation asks a viewer to do, as in the EXIF standard, tag 274.
_TURNS: dict[int, Callable[[Any], Any]] = {
    2: np.fliplr,
    3: lambda picture: picture[::-1, ::-1],
    4: np.flipud,
    5: np.transpose,
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: picture[::-1, ::-1].T,
    8: np.rot90,
}


def encode_image(rgb: UInt8[np.ndarray, "height width 3"], format: Literal["png", "jpeg"] = "png", quality: int = 95) -> bytes:  # noqa: A002
    """Encodes a picture.

    Args:
        rgb: Red, green, blue; 0 to 255.
        format: `png` keeps every value, `jpeg` is smaller.
        quality: Of a JPEG, 1 to 95.
    """
    return _encode(rgb, format, {"quality": quality, "subsampling": 0} if format == "jpeg" else {})


def decode_image(data: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Decodes any common picture file to RGB, upright as its EXIF orientation says; what is transparent becomes white.

    Of an animation it is the first frame.

    Raises:
        DataError: The bytes are no picture, are cut off or damaged, or would unpack to more than `MAX_PIXELS` pixels.
    """
    image = _read(data)
    if image.mode == "F":
        raise DataError("a picture of floating-point numbers has no agreed white; convert it to 8 or 16 bits")
    with _damage_as_sentence():
        return np.array(_to_rgb(ImageOps.exif_transpose(image)), dtype=np.uint8)


def orientation_of(data: bytes) -> int:
    """Returns the EXIF orientation of a picture file: 1 is upright, 2 to 8 ask the viewer to turn or mirror it.

    Raises:
        DataError: The bytes are no picture.
    """
    with _damage_as_sentence():
        orientation = Image.open(io.BytesIO(data), formats=FORMATS).getexif().get(_ORIENTATION, _UPRIGHT)
    return orientation if orientation in _TURNS else _UPRIGHT


def turn(picture: Shaped[np.ndarray, "height width"], orientation: int) -> Shaped[np.ndarray, "new_height new_width"]:
    """Turns an array as an EXIF orientation asks a viewer to turn the picture.

    Args:
        picture: A depth map or mask as it lies in the file.
        orientation: 1 to 8, as `orientation_of` gives it.
    """
    return np.ascontiguousarray(_TURNS[orientation](picture)) if orientation in _TURNS else picture


def encode_depth(depth: Num[np.ndarray, "height width"]) -> bytes:
    """Encodes a depth map as 16-bit gray PNG; depths outside [4, 6) take the nearest value that the file can hold.

    Args:
        depth: Distance along the ray, world units.

    Raises:
        DataError: A depth is not a number.
    """
    if np.isnan(depth).any():
        raise DataError("the depth map holds values that are not numbers; every pixel needs a distance in world units")
    levels = np.rint((depth.astype(np.float64) - DEPTH_NEAR) / DEPTH_RANGE * DEPTH_LEVELS)
    return _encode(levels.clip(0, DEPTH_LEVELS - 1).astype(np.uint16), "png", {})


def decode_depth(data: bytes) -> Float32[np.ndarray, "height width"]:
    """Decodes a 16-bit gray PNG to distances along the ray, world units in [4, 6).

    Raises:
        DataError: The bytes are no PNG, are cut off or damaged, or hold anything but 16-bit gray.
    """
    image = _read(data)
    if image.format != "PNG" or not image.mode.startswith("I"):
        raise DataError(f"a depth map must be a 16-bit gray PNG (fewer bits lose the depth), got a {image.format} of mode {image.mode}")
    levels = np.array(image).astype(np.float32)
    return np.asarray(levels / np.float32(DEPTH_LEVELS) * np.float32(DEPTH_RANGE) + np.float32(DEPTH_NEAR))


def encode_masks(
    foreground: Bool[np.ndarray, "height width"], in_box: Bool[np.ndarray, "height width"], covisible: Bool[np.ndarray, "height width"]
) -> bytes:
    """Encodes the masks of a novel view as one gray PNG of bit flags.

    Args:
        foreground: The ray hits the object, not its surroundings; flag 1.
        in_box: The hit point lies in the box [-1, 1]^3; flag 2.
        covisible: The input camera sees the hit point too; flag 4.
    """
    flags = foreground * np.uint8(_FOREGROUND) + in_box * np.uint8(_IN_BOX) + covisible * np.uint8(_COVISIBLE)
    return _encode(flags.astype(np.uint8), "png", {})


def decode_masks(
    data: bytes,
) -> tuple[Bool[np.ndarray, "height width"], Bool[np.ndarray, "height width"], Bool[np.ndarray, "height width"]]:
    """Decodes what `encode_masks` made: foreground, in the box, covisible.

    Raises:
        DataError: The bytes are no 8-bit gray PNG, or are cut off or damaged.
    """
    image = _read(data)
    if image.format != "PNG" or image.mode != "L":
        raise DataError(f"masks must be an 8-bit gray PNG of bit flags, got a {image.format} of mode {image.mode}")
    flags = np.array(image)
    return (flags & _FOREGROUND) > 0, (flags & _IN_BOX) > 0, (flags & _COVISIBLE) > 0


def to_bytes(rgb: Float[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Rounds colours in [0, 1] to 0 to 255."""
    return np.asarray(np.rint(rgb.clip(0, 1) * 255).astype(np.uint8))


def _encode(pixels: Shaped[np.ndarray, "..."], file_format: str, options: dict[str, int]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format=file_format, **options)
    return buffer.getvalue()


def _read(data: bytes) -> Image.Image:
    """Opens a file and decodes its pixels."""
    if not data:
        raise DataError("the picture file is empty")
    with _damage_as_sentence():
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_size(image)
        image.load()
    return image


@contextmanager
def _damage_as_sentence() -> Iterator[None]:
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"the picture would unpack to too many pixels, allowed are {MAX_PIXELS}") from error
    except UnidentifiedImageError as error:
        raise DataError("the bytes are not a picture of a known format") from error
    except DataError:
        raise
    except Exception as error:  # decoders of damaged files raise almost anything
        what = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"the picture is cut off or damaged ({what})") from error


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"the picture would unpack to {image.width} x {image.height} pixels, allowed are {MAX_PIXELS}")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow would clip 16-bit gray at 255.
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in _MODES_WITH_ALPHA or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
