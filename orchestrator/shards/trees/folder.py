"""A tree in a folder of this machine."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from g3dr.errors import DataError
from orchestrator.shards.trees.base import TreeFile, clean_name, is_hidden

Identity = tuple[int, int]


@dataclass(frozen=True)
class FolderTree:
    """A folder; links to folders are followed, except to one that leads back to itself.

    Attributes:
        path: The folder.
    """

    path: str

    @property
    def name(self) -> str:
        """See `Tree`."""
        return self._root.name

    def files(self) -> Iterator[TreeFile]:
        """See `Tree`; one call of the operating system lists a folder, another asks for each file's size."""
        if not self._root.is_dir():
            raise DataError(f"{self.path}: {'not a folder' if self._root.exists() else 'no such folder'}")
        yield from _walk(str(self._root), "", frozenset())

    def read(self, file: TreeFile) -> bytes:
        """See `Tree`."""
        try:
            return (self._root / file.path).read_bytes()
        except FileNotFoundError as error:
            raise DataError("it vanished while it was being packed") from error
        except OSError as error:
            raise DataError(f"it cannot be read ({error.strerror})") from error

    def where(self, path: str) -> str:
        """See `Tree`."""
        return clean_name(f"{self._root}/{path}")

    @property
    def _root(self) -> Path:
        return Path(self.path).expanduser().absolute()


def _walk(folder: str, prefix: str, above: frozenset[Identity]) -> Iterator[TreeFile]:
    """Lists a folder; `above` are the folders that lead here, so that a link to one of them ends."""
    state = os.stat(folder)  # noqa: PTH116  a Path for each of a million files takes longer than asking for its size
    identity = (state.st_dev, state.st_ino)
    if identity in above:
        return
    with _listed(folder) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            if entry.is_dir():
                yield from _walk(entry.path, f"{prefix}{entry.name}/", above | {identity})
            elif (found := _file(entry, prefix + entry.name)) is not None:
                yield found


def _listed(folder: str) -> "os._ScandirIterator[str]":
    try:
        return os.scandir(folder)
    except OSError as error:
        raise DataError(f"{clean_name(folder)}: the folder cannot be listed ({error.strerror})") from error


def _file(entry: "os.DirEntry[str]", path: str) -> TreeFile | None:
    try:
        state = entry.stat()
    except OSError:  # vanished since, or a link to nowhere: whoever reads it will say so
        return TreeFile(path, 0, 0)
    return TreeFile(path, state.st_size, state.st_mtime_ns) if entry.is_file() else None
