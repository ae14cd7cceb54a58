"""A tree in object storage."""

from collections.abc import Iterator
from dataclasses import dataclass

from g3dr.errors import DataError
from orchestrator.shards.trees.base import TreeFile, clean_name, is_hidden
from orchestrator.store import Store


@dataclass(frozen=True)
class RemoteTree:
    """Files below `s3://bucket/prefix`, or whatever else a store can hold.

    Attributes:
        store: Where they are.
    """

    store: Store

    @property
    def name(self) -> str:
        """See `Tree`."""
        return self.store.uri.partition("?")[0].rstrip("/").rpartition("/")[2]

    def files(self) -> Iterator[TreeFile]:
        """See `Tree`; a thousand files take one request."""
        self.store.check()
        for entry in self.store.entries():
            if not any(map(is_hidden, entry.path.split("/"))):
                yield TreeFile(entry.path, entry.size, entry.changed)

    def read(self, file: TreeFile) -> bytes:
        """See `Tree`."""
        try:
            return self.store.read_bytes(file.path)
        except FileNotFoundError as error:
            raise DataError("it vanished while it was being packed") from error

    def where(self, path: str) -> str:
        """See `Tree`."""
        return clean_name(f"{self.store.uri}/{path}")
