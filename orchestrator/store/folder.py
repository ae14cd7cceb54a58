"""A store in a folder of this machine, or of a file system that all machines share."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pyarrow import fs

from orchestrator.store.base import Store, StoreError, clean_path

_TEMPORARY = ".g3dr-writing-"


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals into one sentence; a missing file passes through."""
    try:
        yield
    except (NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise StoreError(f"{path}: there is a file where a folder is needed, or a folder where a file is needed") from error
    except PermissionError as error:
        raise StoreError(f"{path}: no permission to read or write here") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


class FolderStore(Store):
    """A folder; it exists as long as it holds files, like a prefix of an object store.

    Args:
        folder: Path of the folder; need not exist yet.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder).expanduser().absolute()
        self.uri = str(self._folder)

    def __reduce__(self) -> tuple[type["FolderStore"], tuple[str]]:
        return FolderStore, (self.uri,)

    def _path(self, path: str) -> Path:
        return self._folder / clean_path(path)

    def read_bytes(self, path: str) -> bytes:
        """See `Store`."""
        with _plain_errors(self._path(path)):
            return self._path(path).read_bytes()

    def write_bytes(self, path: str, data: bytes) -> None:
        """See `Store`; by a temporary file beside the target and a rename."""
        target = self._path(path)
        with _plain_errors(target), self._written(target, data) as temporary:
            temporary.replace(target)

    def write_if_absent(self, path: str, data: bytes) -> bool:
        """See `Store`; a hard link appears with all its content, or not at all."""
        target = self._path(path)
        with _plain_errors(target), self._written(target, data) as temporary:
            try:
                target.hardlink_to(temporary)
            except FileExistsError:
                return False
            except OSError:
                return self._create(target, data)
            return True

    @staticmethod
    def _create(target: Path, data: bytes) -> bool:
        """Creates a file where the file system has no hard links: still one winner, but not atomic for readers."""
        try:
            with target.open("xb") as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    @staticmethod
    @contextmanager
    def _written(target: Path, data: bytes) -> Iterator[Path]:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).chmod(0o644)
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def exists(self, path: str) -> bool:
        """See `Store`."""
        return self._path(path).is_file()

    def list(self, prefix: str = "") -> list[str]:
        """See `Store`."""
        top = self._path(prefix)
        with _plain_errors(top):
            found = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
        return sorted(path.relative_to(self._folder).as_posix() for path in found if not path.name.startswith(_TEMPORARY))

    def delete(self, prefix: str) -> None:
        """See `Store`; folders that become empty go too, up to the store's own."""
        target = self._path(prefix)
        with _plain_errors(target):
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
            self._prune(target)

    def _prune(self, path: Path) -> None:
        while path.is_relative_to(self._folder):
            if path.is_dir():
                if any(path.iterdir()):
                    return
                path.rmdir()
            path = path.parent

    def child(self, path: str) -> Self:
        """See `Store`."""
        return type(self)(self._path(path))

    def filesystem(self) -> tuple[Any, str]:
        """See `Store`."""
        return fs.LocalFileSystem(), self.uri

    def check(self) -> None:
        """See `Store`; looks at the nearest folder that exists."""
        nearest = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        if not nearest.is_dir():
            raise StoreError(f"{self.uri}: {nearest} is a file, not a folder")
        if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
            raise StoreError(f"{self.uri}: no permission to read and write in {nearest}")
