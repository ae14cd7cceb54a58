"""Pictures that a person wants to reconstruct: found by file, folder or pattern, each with its depth and perhaps a mask."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from g3dr.errors import DataError
from g3dr.pictures import decode_depth, decode_image
from orchestrator.shards.cropping import resize_image, resize_nearest

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
DEPTH_ENDING, MASK_ENDING = "_depth.png", "_mask.png"
Decoded = TypeVar("Decoded")

OBJECT_PART = 128  # a mask's gray value from which a pixel belongs to the object


@dataclass(frozen=True)
class Photograph:
    """Where a picture, its depth and its mask lie.

    Attributes:
        name: What its files will be called; unique among those found together.
        picture: The picture.
        depth: A 16-bit gray PNG, see `g3dr.pictures`.
        mask: Bright where the object is; None for all of the picture.
    """

    name: str
    picture: Path
    depth: Path
    mask: Path | None

    def read(self) -> "RgbdPicture":
        """Reads and checks the files.

        Raises:
            DataError: One cannot be used; the sentence names it.
        """
        image, depth = _decoded(self.picture, decode_image), _decoded(self.depth, decode_depth)
        mask = None if self.mask is None else _decoded(self.mask, _decode_mask)
        for path, other in ((self.depth, depth), (self.mask, mask)):
            if other is not None and not _same_shape(image.shape[:2], other.shape[:2]):
                raise DataError(f"{path}: {_size(other)} pixels do not fit a picture of {_size(image)}; allowed: the same proportions")
        return RgbdPicture(image, depth, mask)


@dataclass(frozen=True)
class RgbdPicture:
    """A picture of any size with its depth and mask, of the same proportions but not necessarily of the same size.

    Attributes:
        image: Red, green, blue, 0 to 255, upright.
        depth: Distance along the ray, world units in [4, 6).
        mask: Where the object is.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    mask: NDArray[np.bool_] | None

    def image_at(self, resolution: int) -> NDArray[np.uint8]:
        """Returns the square in the middle at `resolution` pixels a side."""
        return resize_image(self.image, resolution)

    def depth_at(self, resolution: int) -> NDArray[np.float32]:
        """Returns the depth of the same square."""
        return np.asarray(resize_nearest(self.depth, resolution), dtype=np.float32)

    def mask_at(self, resolution: int) -> NDArray[np.bool_] | None:
        """Returns the mask of the same square, if there is one."""
        return None if self.mask is None else np.asarray(resize_nearest(self.mask, resolution), dtype=np.bool_)


def find_photographs(sources: Sequence[str], depth: Path | None = None, mask: Path | None = None) -> list[Photograph]:
    """Returns the pictures that are meant, without reading them.

    Args:
        sources: Files, folders (the pictures in them) and patterns such as `birds/*.jpg`.
        depth: The depth map, if it does not lie beside its picture as `<name>_depth.png`; for one picture.
        mask: The mask, likewise beside it as `<name>_mask.png`, where a missing one means all of the picture.

    Raises:
        DataError: A source does not exist or has no picture; or one depth map or mask is named for several pictures.
    """
    paths = [path for source in sources for path in _expand(source)]
    for option, file in (("--depth", depth), ("--mask", mask)):
        if file is not None and len(paths) > 1:
            raise DataError(
                f"{option} {file}: one file cannot serve {len(paths)} pictures; put NAME_depth.png and NAME_mask.png beside each"
            )
        if file is not None and not file.is_file():
            raise DataError(f"{option} {file}: no such file")
    return [_photograph(path, name, depth, mask) for path, name in zip(paths, _unique_names(paths), strict=True)]


def _photograph(path: Path, name: str, depth: Path | None, mask: Path | None) -> Photograph:
    beside = path.with_name(path.stem + MASK_ENDING)
    return Photograph(name, path, depth or path.with_name(path.stem + DEPTH_ENDING), mask or (beside if beside.is_file() else None))


def _expand(source: str) -> list[Path]:
    path = Path(source).expanduser()
    if path.is_dir():
        found = [entry for entry in sorted(path.iterdir()) if _is_picture(entry)]
    elif path.exists():
        return [path]
    else:
        found = [entry for entry in sorted(map(Path, glob.glob(str(path), recursive=True))) if _is_picture(entry)]  # noqa: PTH207
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DataError(f"{source}: {'no pictures in this folder' if path.is_dir() else 'no such picture or folder'} ({kinds})")
    return found


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.endswith((DEPTH_ENDING, MASK_ENDING))


def _unique_names(paths: Sequence[Path]) -> list[str]:
    """Gives later pictures of the same name a number."""
    names: list[str] = []
    for path in paths:
        numbered = (path.stem if number == 1 else f"{path.stem}-{number}" for number in count(1))
        names.append(next(name for name in numbered if name not in names))
    return names


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: no such file; a picture needs its depth, as a 16-bit gray PNG (0 is near) beside it or with --depth FILE"
        ) from error
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
