"""Shards as open files: checked against the manifest, and read again after a passing fault of the store."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import pyarrow as pa
from pyarrow import parquet

from g3dr.errors import ShardError
from orchestrator.shards.checksums import group_checksum
from orchestrator.shards.manifest import Shard
from orchestrator.shards.selection import RowGroup
from orchestrator.store import open_store

logger = logging.getLogger(__name__)

_OPEN_FILES = 256
_PAUSES = (0.1, 0.5, 2.0)


def read_row_group(dataset: str, wanted: RowGroup, columns: Sequence[str]) -> pa.Table:
    """Reads some columns of a row group.

    Args:
        dataset: URI of the dataset.
        wanted: Which row group of which shard.
        columns: Their names.

    Raises:
        ShardError: The shard is missing, damaged, or not the one that was packed; names it and the row group.
        StoreError: The store cannot be used.
    """
    uri = f"{dataset}/{wanted.shard.path}"
    for pause in _PAUSES:
        try:
            return _read(dataset, wanted, columns, uri)
        except ShardError as error:
            logger.info("reads again: %s", error)
        # An open file may hold a broken connection, or what a broken one has delivered.
        _open.cache_clear()
        time.sleep(pause)
    return _read(dataset, wanted, columns, uri)


def _read(dataset: str, wanted: RowGroup, columns: Sequence[str], uri: str) -> pa.Table:
    with shard_errors(uri, wanted.group):
        return _checked(_open(dataset, wanted.shard, os.getpid()).read(wanted.group, columns), uri, wanted)


@contextmanager
def shard_errors(uri: str, group: int | None = None) -> Iterator[None]:
    """Says in one sentence what kept a shard from being read.

    Args:
        uri: The shard.
        group: The row group, if it is one that is read.

    Raises:
        ShardError: The shard is missing or damaged.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ShardError(uri, "is missing") from error
    except (pa.ArrowException, OSError) as error:
        raise ShardError(uri, f"cannot be read ({str(error).splitlines()[0]})", group) from error


def _checked(rows: pa.Table, uri: str, wanted: RowGroup) -> pa.Table:
    if len(rows) != wanted.rows or (wanted.checksum is not None and group_checksum(rows) != wanted.checksum):
        raise ShardError(uri, "changed since it was packed: its rows are not those that the manifest promises", wanted.group)
    return rows


class ShardFile:
    """An open shard; threads may share it.

    Args:
        dataset: URI of the dataset.
        shard: The shard's entry in the manifest.
    """

    def __init__(self, dataset: str, shard: Shard) -> None:
        source = open_store(dataset).open_file(shard.path)
        if source.size() != shard.bytes:
            problem = f"changed since it was packed: {source.size()} bytes, {shard.bytes} bytes expected"
            raise ShardError(f"{dataset}/{shard.path}", problem)
        # Columns of a row group lie side by side: buffered, they come with one request instead of one each.
        self._file = parquet.ParquetFile(source, page_checksum_verification=not shard.checksums, pre_buffer=True)
        self._lock = threading.Lock()

    def read(self, group: int, columns: Sequence[str]) -> pa.Table:
        """Reads some columns of a row group."""
        with self._lock:
            return self._file.read_row_group(group, columns=list(columns), use_threads=False)


@lru_cache(maxsize=_OPEN_FILES)
def _open(dataset: str, shard: Shard, _process: int) -> ShardFile:
    """Keeps files open: their footers are read once, not once a row group."""
    return ShardFile(dataset, shard)
