"""A checksum of each row group's rows: tells a shard that was exchanged from the one that was packed, at the speed of reading.

The SHA-256 of the whole shard, which `verify` compares, would make every worker read every shard once more; CRC-32 of what is
read anyway is ten times as fast as SHA-256, and the size, which is free, is compared too. Neither is a defence against
somebody who forges a shard on purpose.
"""

import zlib

import numpy as np
import pyarrow as pa
from pyarrow import parquet

COLUMNS = ("key", "species", "image", "depth")


def group_checksums(shard: bytes) -> tuple[int, ...]:
    """Returns the checksum of every row group of a shard in memory."""
    file = parquet.ParquetFile(pa.BufferReader(shard))
    return tuple(group_checksum(file.read_row_group(group, columns=list(COLUMNS))) for group in range(file.num_row_groups))


def group_checksum(rows: pa.Table) -> int:
    """Returns the CRC-32 over keys, species, pictures and depth maps of some rows, whatever else the table holds."""
    checksum = 0
    for name in COLUMNS:
        column = rows.column(name)
        # Lengths, with -1 where there is nothing: the same bytes cut otherwise are other rows.
        lengths = [length for chunk in column.chunks for length in _lengths(chunk)]
        checksum = zlib.crc32(np.asarray(lengths, dtype="<i8").tobytes(), checksum)
        for chunk in column.chunks:
            checksum = zlib.crc32(_content(chunk), checksum)
    return checksum


def _offsets(chunk: pa.Array) -> np.ndarray:
    return np.frombuffer(chunk.buffers()[1], dtype="<i4")[chunk.offset : chunk.offset + len(chunk) + 1]


def _lengths(chunk: pa.Array) -> list[int]:
    lengths: list[int] = np.diff(_offsets(chunk)).tolist() if len(chunk) else []
    # Not by Arrow's to_numpy, which imports pandas: three seconds in every process that reads.
    return [length if present else -1 for length, present in zip(lengths, chunk.is_valid().to_pylist(), strict=True)]


def _content(chunk: pa.Array) -> memoryview:
    offsets, data = _offsets(chunk), chunk.buffers()[2]
    return memoryview(b"") if data is None or not len(chunk) else memoryview(data)[offsets[0] : offsets[-1]]
