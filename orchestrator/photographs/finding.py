"""Which pictures are meant, and which depth maps and masks lie beside them; nothing is read yet."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from g3dr.errors import DataError
from orchestrator.photographs.picture import OpenedPhotograph
from orchestrator.photographs.reading import read_depth, read_image, read_mask

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".avif", ".gif", ".tif", ".tiff", ".jp2", ".heic", ".heif"}
"""Endings of what a folder is searched for; HEIC is found to be refused by name, not to be passed over in silence."""

DEPTH_ENDING, MASK_ENDING = "_depth.png", "_mask.png"


@dataclass(frozen=True)
class Photograph:
    """Where a picture, its depth and its mask lie.

    Attributes:
        name: What its files will be called; unique among those found together.
        picture: The picture.
        depth: A 16-bit gray PNG, see `g3dr.pictures`; None where an estimator has to find it.
        mask: Bright where the object is; None where there is none.
    """

    name: str
    picture: Path
    depth: Path | None
    mask: Path | None

    def read(self) -> OpenedPhotograph:
        """Reads and checks the files.

        Raises:
            DataError: One cannot be used; the sentence names it.
        """
        image, orientation = read_image(self.picture)
        depth = None if self.depth is None else read_depth(self.depth, image, orientation)
        mask = None if self.mask is None else read_mask(self.mask, image, orientation)
        return OpenedPhotograph(image, depth, mask)

    def without_depth(self) -> "Photograph":
        """Returns the same photograph as if no depth map lay beside it."""
        return replace(self, depth=None)


def names_in_list(text: str) -> list[str]:
    """Returns the paths of a list: one a line, or separated by zero bytes as `find -print0` gives them; empty ones are left out."""
    return [name for name in (text.split("\0") if "\0" in text else text.splitlines()) if name.strip()]


def find_photographs(sources: Sequence[str], depth: Path | None = None, mask: Path | None = None) -> list[Photograph]:
    """Returns the pictures that are meant, without reading them.

    Args:
        sources: Files, folders (the pictures in them) and patterns such as `birds/*.jpg`.
        depth: The depth map, if it does not lie beside its picture as `<name>_depth.png`; for one picture.
        mask: The mask, likewise beside it as `<name>_mask.png`.

    Raises:
        DataError: A source does not exist or has no picture; or one depth map or mask is named for several pictures.
    """
    if not sources:
        raise DataError("the list of pictures is empty; expected one path a line")
    paths = list(dict.fromkeys(path for source in sources for path in _expand(source)))
    for option, file in (("--depth", depth), ("--mask", mask)):
        if file is not None and len(paths) > 1:
            raise DataError(
                f"{option} {file}: one file cannot serve {len(paths)} pictures; put NAME_depth.png and NAME_mask.png beside each"
            )
        if file is not None and not file.is_file():
            raise DataError(f"{option} {file}: no such file")
    return [_photograph(path, name, depth, mask) for path, name in zip(paths, _unique_names(paths), strict=True)]


def _photograph(path: Path, name: str, depth: Path | None, mask: Path | None) -> Photograph:
    return Photograph(name, path, depth or _beside(path, DEPTH_ENDING), mask or _beside(path, MASK_ENDING))


def _beside(path: Path, ending: str) -> Path | None:
    file = path.with_name(path.stem + ending)
    return file if file.is_file() else None


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
    hidden = path.name.startswith(".")  # what a Mac leaves beside pictures on foreign disks ends like them
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file() and not path.name.endswith((DEPTH_ENDING, MASK_ENDING))


def _unique_names(paths: Sequence[Path]) -> list[str]:
    """Gives later pictures of the same name a number."""
    names: list[str] = []
    for path in paths:
        numbered = (path.stem if number == 1 else f"{path.stem}-{number}" for number in count(1))
        names.append(next(name for name in numbered if name not in names))
    return names
