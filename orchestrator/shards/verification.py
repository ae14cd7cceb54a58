"""Reads a whole dataset again and reports what is damaged."""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import pyarrow as pa
from pyarrow import parquet

from g3dr.errors import DataError, ShardError
from g3dr.pictures import decode_depth, decode_image, decode_masks
from orchestrator.shards.manifest import Shard, read_manifest
from orchestrator.shards.rows import SCHEMA, Row, content_digest, rows_of_table
from orchestrator.store import Store

_THREADS = 4


def verify(store: Store, progress: Callable[[int, int], None] | None = None, version: str = "") -> list[ShardError]:
    """Checks every shard: size, checksum, rows, and that every picture decodes.

    Args:
        store: The dataset.
        progress: Called with the bytes that are read and their total.
        version: An earlier version; empty for the current one.

    Raises:
        DataError: There is no dataset, or its manifest is damaged.
        StoreError: The store cannot be used.
    """
    manifest = read_manifest(store, version)
    if manifest is None:
        raise DataError(f"{store.uri}: no dataset here" + (f" of version {version}" if version else ""))
    say = progress or (lambda _done, _total: None)
    total, done = sum(shard.bytes for shard in manifest.shards), 0
    found: dict[str, list[ShardError]] = {}
    say(0, total)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        futures = {pool.submit(lambda one: list(_problems(store, one)), shard): shard for shard in manifest.shards}
        try:
            for future in as_completed(futures):
                shard = futures[future]
                found[shard.path] = future.result()
                done += shard.bytes
                say(done, total)
        finally:
            pool.shutdown(cancel_futures=True)
    return [problem for shard in manifest.shards for problem in found[shard.path]]


def _problems(store: Store, shard: Shard) -> Iterator[ShardError]:
    uri = f"{store.uri}/{shard.path}"
    try:
        data = store.read_bytes(shard.path)
    except FileNotFoundError:
        yield ShardError(uri, "is missing")
        return
    if hashlib.sha256(data).hexdigest() == shard.sha256:
        yield from _content_problems(uri, data, shard)
        return
    yield ShardError(uri, f"changed since it was packed: {len(data)} bytes with another checksum, {shard.bytes} bytes expected")
    yield from _group_problems(uri, data)


def _content_problems(uri: str, data: bytes, shard: Shard) -> Iterator[ShardError]:
    """Looks into an unchanged file: the packer itself may have written nonsense."""
    table = _read(data)
    if isinstance(table, str):
        yield ShardError(uri, table)
        return
    rows = rows_of_table(table)
    if len(rows) != shard.rows or content_digest(rows) != shard.content:
        yield ShardError(uri, f"holds {len(rows)} rows, which are not the {shard.rows} that the manifest promises")
    yield from _group_problems(uri, data)


def _read(data: bytes) -> pa.Table | str:
    try:
        return parquet.read_table(pa.BufferReader(data), schema=SCHEMA)
    except (pa.ArrowException, OSError) as error:
        return f"is not readable as Parquet ({type(error).__name__})"


def _group_problems(uri: str, data: bytes) -> Iterator[ShardError]:
    """Reads group by group, so that a damaged file shows where."""
    try:
        file = parquet.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        yield ShardError(uri, f"is not readable as Parquet ({type(error).__name__})")
        return
    for group in range(file.num_row_groups):
        try:
            for row in rows_of_table(file.read_row_group(group)):
                _decode(row)
        except (DataError, pa.ArrowException, OSError, ValueError) as error:
            yield ShardError(uri, f"cannot be decoded: {str(error).splitlines()[0]}", group)


def _decode(row: Row) -> None:
    example = row.example
    if _checked_shape(example.key, example.image, example.depth) != (row.height, row.width):
        raise DataError(f"{example.key}: the picture is not {row.width} x {row.height}")
    for view in example.views:
        _checked_shape(example.key, view.image, view.depth)
        decode_masks(view.masks)


def _checked_shape(key: str, image: bytes, depth: bytes | None) -> tuple[int, ...]:
    shape = decode_image(image).shape[:2]
    if depth is not None and shape != decode_depth(depth).shape:
        raise DataError(f"{key}: picture and depth map differ in size")
    return shape
