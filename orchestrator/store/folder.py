"""A store in a folder of this machine, or of a file system that all machines share."""

import errno
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from orchestrator.store.base import Entry, Store, StoreError, clean_path
from orchestrator.store.folder_errors import plain_errors

_TEMPORARY = ".g3dr-writing-"
_PATIENCE_SECONDS = 5.0

Result = TypeVar("Result")


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
        with plain_errors(self._path(path)):
            return self._path(path).read_bytes()

    def write_bytes(self, path: str, data: bytes) -> None:
        """See `Store`; by a temporary file beside the target and a rename."""
        target = self._path(path)
        with plain_errors(target):
            _again(lambda: self._replace(target, data))

    def _replace(self, target: Path, data: bytes) -> None:
        with self._written(target, data) as temporary:
            temporary.replace(target)

    def write_if_absent(self, path: str, data: bytes) -> bool:
        """See `Store`; a hard link appears with all its content, or not at all."""
        target = self._path(path)
        with plain_errors(target):
            return _again(lambda: self._link(target, data))

    def _link(self, target: Path, data: bytes) -> bool:
        with self._written(target, data) as temporary:
            try:
                target.hardlink_to(temporary)
            except FileExistsError:
                # A network disk makes the link again if its answer got lost, and then says that there is one.
                return target.samefile(temporary)
            except FileNotFoundError:
                raise
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
        except OSError:
            target.unlink(missing_ok=True)
            raise
        return True

    @contextmanager
    def _written(self, target: Path, data: bytes) -> Iterator[Path]:
        """Yields a file beside the target that holds the data; neither it nor new folders stay if there was no room for them."""
        try:
            _make_folder(target.parent)
            handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                Path(name).chmod(0o644)
                yield Path(name)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError:
            self._prune(target.parent)
            raise

    def exists(self, path: str) -> bool:
        """See `Store`."""
        with plain_errors(self._path(path)):
            return self._path(path).is_file()

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        top = self._path(prefix)
        with plain_errors(top):
            for path in [top] if top.is_file() else _files_below(top):
                entry = self._entry(path)
                if entry is not None and not path.name.startswith(_TEMPORARY):
                    yield entry

    def _entry(self, path: Path) -> Entry | None:
        try:
            state = path.stat()
        except FileNotFoundError:
            return None  # gone since it was found
        return Entry(path.relative_to(self._folder).as_posix(), state.st_size, state.st_mtime_ns)

    def delete(self, prefix: str) -> None:
        """See `Store`; folders that become empty go too, up to the store's own."""
        target = self._path(prefix)
        with plain_errors(target):
            if target.is_file() or target.is_symlink():
                target.unlink(missing_ok=True)
            else:
                _remove_folder(target)
            self._prune(target)

    def _prune(self, path: Path) -> None:
        while path.is_relative_to(self._folder):
            if path.is_dir():
                try:
                    path.rmdir()
                except OSError as error:
                    if error.errno != errno.ENOENT:  # unless another process was faster, there is something in it
                        return
            path = path.parent

    def child(self, path: str) -> Self:
        """See `Store`."""
        return type(self)(self._path(path))

    def open_file(self, path: str) -> Any:
        """See `Store`."""
        import pyarrow as pa  # noqa: PLC0415  (whoever only keeps a ledger needs none)

        with plain_errors(self._path(path)):
            return pa.OSFile(str(self._path(path)))

    def check(self) -> None:
        """See `Store`; looks at the nearest folder that exists."""
        with plain_errors(self._folder):
            nearest = next(path for path in (self._folder, *self._folder.parents) if path.exists())
            read_only = os.statvfs(nearest).f_flag & os.ST_RDONLY
        if not nearest.is_dir():
            raise StoreError(f"{self.uri}: {nearest} is a file, not a folder")
        if read_only:
            raise StoreError(f"{self.uri}: the disk of {nearest} can only be read, not written")
        if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise StoreError(f"{self.uri}: no permission to read and write in {nearest}")


def _files_below(top: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(top, onerror=_refuse_unreadable):
        yield from (Path(folder, name) for name in names)


def _refuse_unreadable(error: OSError) -> None:
    """Makes a folder that may not be read an error, since nobody may take it for an empty one."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _again(work: Callable[[], Result]) -> Result:
    """Does something once more where another process deleted a folder in the middle of it, as two that pack the same do."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return work()
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        if not any(_is_no_folder(path) for path in (folder, *folder.parents)):
            raise FileNotFoundError(f"{folder} was deleted while it was made") from error
        raise


def _is_no_folder(path: Path) -> bool:
    """Tells whether there is something else; asks once, because a folder may be gone between two questions."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _remove_folder(folder: Path) -> None:
    """Removes what is there; what another process writes meanwhile may stay, with its folders."""
    for parent, folders, names in os.walk(folder, topdown=False, onerror=_refuse_unreadable):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in (*names, *links):
            Path(parent, name).unlink(missing_ok=True)
        try:
            Path(parent).rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.ENOENT}:
                raise
