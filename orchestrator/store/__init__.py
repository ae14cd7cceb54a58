"""Object storage: one small interface for a folder and for `s3://bucket/prefix`.

A store is named by its URI and pickles by it, so it travels to any process; credentials never travel with it,
every process takes them from its own environment (`AWS_*` variables or files).
"""

from orchestrator.store.base import Store, StoreError
from orchestrator.store.folder import FolderStore
from orchestrator.store.s3 import S3Store

__all__ = ["FolderStore", "S3Store", "Store", "StoreError", "open_store"]


def open_store(uri: str) -> Store:
    """Opens a store; nothing is created or contacted yet.

    Args:
        uri: A folder path, `file:///folder` or `s3://bucket/prefix`.

    Raises:
        StoreError: Another kind of URI, or an `s3://` without a bucket.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return FolderStore(uri)
    if scheme == "file":
        return FolderStore(rest)
    if scheme == "s3":
        return S3Store(rest)
    raise StoreError(f"{uri}: a store is a folder path or s3://bucket/prefix, not {scheme}://")
