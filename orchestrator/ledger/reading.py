"""Reads many small files of a store side by side."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from orchestrator.store import FolderStore, Store

_THREADS = 16
_WORTH_THREADS = 4

Result = TypeVar("Result")


def read_all(store: Store, names: Collection[str], read: Callable[[str], Result]) -> dict[str, Result]:
    """Returns what `read` gives for each name, in the order of the names.

    On a disk of this machine a file is there in less time than a thread takes to begin; an object store is waited for.
    """
    wanted = list(dict.fromkeys(names))
    if isinstance(store, FolderStore) or len(wanted) < _WORTH_THREADS:
        return {name: read(name) for name in wanted}
    with ThreadPoolExecutor(min(_THREADS, len(wanted)), "ledger") as pool:
        return dict(zip(wanted, pool.map(read, wanted), strict=True))
