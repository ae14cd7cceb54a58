"""What every store can do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from g3dr.errors import G3drError


class StoreError(G3drError):
    """A store that cannot be used: missing bucket, wrong credentials, no permission, a file where a folder is needed, no answer."""


class StoreAwayError(StoreError):
    """A store that gave no answer, or only said to come back later, for as long as it is waited for; another try may find it again."""


def clean_path(path: str) -> str:
    """Returns a relative path without empty or `.` parts.

    Raises:
        StoreError: The path leads out of the store.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts or "\\" in path:
        raise StoreError(f"{path!r}: a path inside a store has no '..' and no backslash")
    return "/".join(parts)


@dataclass(frozen=True)
class Entry:
    """A file in a store.

    Attributes:
        path: Relative to the store.
        size: Bytes.
        changed: When it was written, nanoseconds since 1970; an object store counts whole seconds.
    """

    path: str
    size: int
    changed: int


class Store(ABC):
    """Files below one URI, whole files only; paths are relative and use `/`.

    A reader sees a file either in its old or in its new state, never half-written. A missing file raises `FileNotFoundError`,
    because callers often have a good answer to it; whatever is the environment's fault raises `StoreError`.
    """

    uri: str
    """Names the store; it may end in options behind a question mark, so paths go on it by `child` only."""

    @abstractmethod
    def read_bytes(self, path: str) -> bytes:
        """Reads a file.

        Raises:
            FileNotFoundError: There is none at `path`.
        """

    @abstractmethod
    def write_bytes(self, path: str, data: bytes) -> None:
        """Writes or replaces a file atomically."""

    @abstractmethod
    def write_if_absent(self, path: str, data: bytes) -> bool:
        """Writes a file atomically unless there is one; of many writers exactly one gets True."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Tells whether there is a file at `path`."""

    @abstractmethod
    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Finds the files at or below the folder `prefix`, in any order, as they are found."""

    def list(self, prefix: str = "") -> list[str]:
        """Lists the files at or below the folder `prefix`, relative to the store, sorted."""
        return sorted(entry.path for entry in self.entries(prefix))

    @abstractmethod
    def delete(self, prefix: str) -> None:
        """Deletes the file at `prefix` and every file below the folder `prefix`; nothing there is fine."""

    @abstractmethod
    def child(self, path: str) -> Self:
        """Returns the store of the folder `path`."""

    @abstractmethod
    def open_file(self, path: str) -> Any:
        """Opens a file for reading parts of it, in binary, as pyarrow takes it; besides what Python's files have, `size()` tells its bytes.

        Raises:
            FileNotFoundError: There is none at `path`.
        """

    @abstractmethod
    def check(self) -> None:
        """Makes sure that the store can be used, without writing to it.

        Raises:
            StoreError: It cannot; one sentence says why.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and other.uri == self.uri

    def __hash__(self) -> int:
        return hash(self.uri)
