"""Opens tar files for random access, wherever they lie and whether or not they are compressed."""

import gzip
import io
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any

import pyarrow as pa

from g3dr.errors import DataError
from orchestrator.shards.trees.base import clean_name
from orchestrator.store import StoreError, open_parent

BinaryReader = IO[bytes] | io.RawIOBase

_COMPRESSED = (".gz", ".tgz")
_READ_AHEAD = 2**20


@dataclass(frozen=True)
class Archives:
    """Tar files, by path or URI.

    A compressed one has no offsets to jump to: every process unpacks it once into an unnamed temporary file.

    Attributes:
        names: Paths or `s3://` URIs.
    """

    names: tuple[str, ...]

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryReader]:
        """Opens a tar file to be read from its beginning.

        Raises:
            DataError: There is none, or its compression is damaged.
        """
        with _plain_errors(name):
            reader = _open(name)
        with reader:
            yield reader

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Reads `size` bytes from `offset`; fewer where the file ends.

        Raises:
            DataError: The tar file vanished or cannot be read.
            StoreError: The object storage does not answer.
        """
        with _plain_errors(name):
            return _kept_open(name, os.getpid()).read(offset, size)


class _Kept:
    """An open tar file that closes itself when nobody knows it any more; it has one position, so one thread at a time."""

    def __init__(self, reader: BinaryReader) -> None:
        self._reader, self._lock = reader, threading.Lock()
        weakref.finalize(self, reader.close)

    def read(self, offset: int, size: int) -> bytes:
        """Reads `size` bytes from `offset`."""
        with self._lock:
            self._reader.seek(offset)
            return self._reader.read(size) or b""


@lru_cache(maxsize=64)
def _kept_open(name: str, _process: int) -> _Kept:
    """Keeps tar files open: each holds thousands of pictures, and a compressed one is unpacked only once."""
    return _Kept(_open(name))


def _open(name: str) -> BinaryReader:
    reader = _open_remote(name) if "://" in name else open(name, "rb")  # noqa: PTH123, SIM115  closed by the callers
    if not name.endswith(_COMPRESSED):
        return reader
    unpacked: Any = tempfile.TemporaryFile()  # noqa: SIM115  closed with its last user
    with ExitStack() as failed:
        failed.callback(unpacked.close)
        with reader, gzip.GzipFile(fileobj=reader) as packed:
            shutil.copyfileobj(packed, unpacked)
        failed.pop_all()
    unpacked.seek(0)
    return unpacked  # type: ignore[no-any-return]


def _open_remote(name: str) -> BinaryReader:
    store, file = open_parent(name)
    raw: Any = store.open_file(file)
    # A tar file is a chain of small headers; without a buffer each would be a request.
    return io.BufferedReader(raw, _READ_AHEAD)


@contextmanager
def _plain_errors(name: str) -> Iterator[None]:
    shown = clean_name(name)
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{shown}: no such tar file") from error
    except (gzip.BadGzipFile, EOFError, pa.ArrowInvalid) as error:
        raise DataError(f"{shown}: its compression is damaged ({error})") from error
    except OSError as error:
        if "://" in name:
            raise StoreError(f"{shown}: cannot be read ({str(error).splitlines()[0]})") from error
        raise DataError(f"{shown}: cannot be read ({error.strerror or error})") from error


class Window(io.RawIOBase):
    """A part of a file as a file: a tar file inside of another.

    Args:
        reader: The file around it.
        start: Where the part begins, bytes.
        size: How long it is, bytes.
    """

    def __init__(self, reader: BinaryReader, start: int, size: int) -> None:
        self._reader, self._start, self._size, self._position = reader, start, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves as in every file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Returns the position, bytes from the start of the part."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Reads up to `size` bytes, never beyond the part."""
        left = max(0, self._size - self._position)
        self._reader.seek(self._start + self._position)
        data = self._reader.read(left if size < 0 else min(size, left))
        self._position += len(data)
        return data
