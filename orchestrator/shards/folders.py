"""Photographs with depth maps in class folders."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from g3dr.errors import DataError
from g3dr.examples import RgbdExample
from g3dr.pictures import decode_depth, decode_image
from orchestrator.folder_config import FolderConfig
from orchestrator.shards.cropping import crop_and_encode

_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_SPLIT_FOLDERS = {"train": "train", "test": "test", "val": "test"}


@dataclass(frozen=True)
class FolderItem:
    """A picture file and its place in the dataset."""

    key: str
    species: str
    split: str
    path: str


@dataclass(frozen=True)
class FolderSource(FolderConfig):
    """A folder of pictures, each with a 16-bit depth map beside it.

    Three layouts: `<species>/name.jpg`; `train/<species>/name.jpg` with `test/` or `val/` beside it; a flat folder, which is
    one species named after the folder.
    """

    def description(self) -> Mapping[str, Any]:
        """See `Source`; files count by name, size and time of change, since reading a million of them would take hours."""
        digest = hashlib.sha256()
        for path in self._files():
            state = path.stat()
            digest.update(f"{path.relative_to(self._root).as_posix()}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
        # Where the folder lies is left out: a copy elsewhere is the same source.
        options = {name: value for name, value in asdict(self).items() if name != "path"}
        return {"kind": "folder", "folder": self._root.name, "files": digest.hexdigest()[:16], **options}

    def items(self) -> Sequence[FolderItem]:
        """See `Source`."""
        found = [item for item in _unique(self._find()) if self.species is None or item.species in self.species]
        missing = set(self.species or ()) - {item.species for item in found}
        if missing:
            raise DataError(f"{self.path}: no pictures of the species {', '.join(sorted(missing))}")
        if not found:
            raise DataError(f"{self.path}: no pictures here; expected <species>/name.jpg with name{self.depth_suffix} beside it")
        return found

    def load(self, item: FolderItem) -> RgbdExample:
        """See `Source`."""
        picture = Path(item.path)
        depth_path = picture.with_name(picture.stem + self.depth_suffix)
        if not depth_path.is_file():
            raise DataError(f"{picture}: no depth map {depth_path.name} beside it")
        image_bytes, depth_bytes = picture.read_bytes(), depth_path.read_bytes()
        image, depth = _named(picture, decode_image, image_bytes), _named(depth_path, decode_depth, depth_bytes)
        if image.shape[:2] != depth.shape:
            sizes = f"{depth.shape[1]} x {depth.shape[0]}, its picture {image.shape[1]} x {image.shape[0]}"
            raise DataError(f"{depth_path}: the depth map is {sizes}; they must be equal")
        if self.resolution is not None:
            image_bytes, depth_bytes = crop_and_encode(image, depth, self.resolution)
        return RgbdExample(key=item.key, species=item.species, split=item.split, image=image_bytes, depth=depth_bytes, views=())

    @property
    def _root(self) -> Path:
        return Path(self.path).expanduser().absolute()

    def _files(self) -> list[Path]:
        if not self._root.is_dir():
            raise DataError(f"{self.path}: {'not a folder' if self._root.exists() else 'no such folder'}")
        return sorted(path for path in self._root.rglob("*") if path.suffix.lower() in _PICTURES and path.is_file())

    def _find(self) -> list[FolderItem]:
        pictures = [path for path in self._files() if not path.name.endswith(self.depth_suffix)]
        names = {path.relative_to(self._root).parts[0] for path in pictures}
        if names and names <= _SPLIT_FOLDERS.keys():
            return [self._place(path, self._root / path.relative_to(self._root).parts[0], split=None) for path in pictures]
        by_species: dict[str, list[FolderItem]] = {}
        for path in pictures:
            item = self._place(path, self._root, split="train")
            by_species.setdefault(item.species, []).append(item)
        return [item for items in by_species.values() for item in self._hold_out(items)]

    def _place(self, path: Path, top: Path, split: str | None) -> FolderItem:
        """Derives key and species from where the picture lies below `top`; without a split, `top` itself names it."""
        parts = path.relative_to(top).parent.parts
        species = parts[0] if parts else self._root.name
        name = "/".join((species, *parts[1:], path.stem))
        return (
            FolderItem(name, species, split, str(path))
            if split
            else FolderItem(f"{top.name}/{name}", species, _SPLIT_FOLDERS[top.name], str(path))
        )

    def _hold_out(self, items: list[FolderItem]) -> list[FolderItem]:
        """Moves a fraction of a species to the test split, at least one of two or more."""
        # Ordered by a hash of the name, so that the choice does not depend on the order of files and survives most additions.
        ranked = sorted(items, key=lambda item: hashlib.sha256(f"{self.seed}/{item.key}".encode()).digest())
        count = round(self.held_out * len(items))
        if self.held_out > 0 and len(items) > 1:
            count = min(max(count, 1), len(items) - 1) if self.held_out < 1 else len(items)
        tested = {item.path for item in ranked[:count]}
        return [replace(item, split="test") if item.path in tested else item for item in items]


def _unique(items: list[FolderItem]) -> list[FolderItem]:
    """Gives the second of two pictures that differ only in their ending a key with its ending."""
    taken: set[str] = set()
    result = []
    for item in items:
        unique = item if item.key not in taken else replace(item, key=item.key + Path(item.path).suffix)
        taken.add(unique.key)
        result.append(unique)
    return result


def _named(path: Path, decode: Any, data: bytes) -> Any:
    """Decodes a file and puts its path into the sentence if that fails."""
    try:
        return decode(data)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
