"""Object storage: one small interface for a folder and for `s3://bucket/prefix`.

A store is named by its URI and pickles by it, so it travels to any process; credentials never travel with it,
every process takes them from its own environment (`AWS_*` variables or files).
"""

from pathlib import Path

from orchestrator.store.base import Entry, Store, StoreAwayError, StoreError
from orchestrator.store.folder import FolderStore

__all__ = ["Entry", "FolderStore", "Store", "StoreAwayError", "StoreError", "open_parent", "open_store", "without_credentials"]


def open_store(uri: str) -> Store:
    """Opens a store; nothing is created or contacted yet.

    Args:
        uri: A folder path, `file:///folder` or `s3://bucket/prefix`, the latter with `?region=...&endpoint_override=host:port&scheme=http`
            where the environment does not say.

    Raises:
        StoreError: Another kind of URI, an `s3://` without a bucket, or one with credentials in it.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return FolderStore(uri)
    if scheme == "file":
        return FolderStore(rest)
    if scheme == "s3":
        from orchestrator.store.location import S3Location  # noqa: PLC0415
        from orchestrator.store.s3 import S3Store  # noqa: PLC0415  (brings boto3)

        return S3Store(S3Location.parse(uri))
    raise StoreError(f"{without_credentials(uri)}: a store is a folder path or s3://bucket/prefix, not {scheme}://")


def open_parent(uri: str) -> tuple[Store, str]:
    """Opens the folder in which a file lies; returns it with the file's name.

    Raises:
        StoreError: As for `open_store`.
    """
    if "://" not in uri:
        return FolderStore(Path(uri).absolute().parent), Path(uri).name
    path, mark, options = uri.partition("?") if uri.startswith("s3://") else (uri, "", "")
    folder, _, name = path.rpartition("/")
    return open_store(f"{folder}{mark}{options}"), name


def without_credentials(uri: str) -> str:
    """Returns a URI as it may be shown: without a user and a password before the host."""
    scheme, separator, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
