"""Rows and shard files: the columns, and bytes that are the same for the same rows."""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from g3dr.examples import EncodedView, RgbdExample

_VIEW = pa.struct([("yaw", pa.float32()), ("pitch", pa.float32()), ("image", pa.binary()), ("depth", pa.binary()), ("masks", pa.binary())])
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("species", pa.string()),
        ("split", pa.string()),
        ("image", pa.binary()),
        ("depth", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("views", pa.list_(_VIEW)),
    ]
)

# A length that no file has, so that no depth differs from an empty one.
_ABSENT = b"\xff" * 8


@dataclass(frozen=True)
class Row:
    """An example with the size of its picture in pixels."""

    example: RgbdExample
    width: int
    height: int

    def to_arrow(self) -> dict[str, Any]:
        """Returns the row as Parquet stores it."""
        example = self.example
        views = [{"yaw": v.yaw, "pitch": v.pitch, "image": v.image, "depth": v.depth, "masks": v.masks} for v in example.views]
        return {
            "key": example.key,
            "species": example.species,
            "split": example.split,
            "image": example.image,
            "depth": example.depth,
            "width": self.width,
            "height": self.height,
            "views": views,
        }


def row_from_arrow(record: dict[str, Any]) -> Row:
    """Reads a row as `to_arrow` made it."""
    views = tuple(EncodedView(**view) for view in record["views"] or ())
    names = ("key", "species", "split", "image", "depth")
    return Row(RgbdExample(**{name: record[name] for name in names}, views=views), record["width"], record["height"])


def rows_of_table(table: pa.Table) -> list[Row]:
    """Reads all rows of a table."""
    return [row_from_arrow(record) for record in table.to_pylist()]


class ShardWriter:
    """Writes rows to a Parquet file in memory, row group by row group, so that only one of them is there twice.

    Pictures are compressed already, so the columns are not; nothing in the file depends on when or where it was written.

    Args:
        row_group_rows: Rows of a row group.
    """

    def __init__(self, row_group_rows: int) -> None:
        self._most, self._group, self._digest, self._sink = row_group_rows, list[Row](), hashlib.sha256(), pa.BufferOutputStream()
        self._file = parquet.ParquetWriter(
            self._sink, SCHEMA, compression="none", use_dictionary=False, write_statistics=False, write_page_checksum=True
        )
        self.rows = 0
        self.rows_without_depth = 0

    def add(self, row: Row) -> None:
        """Appends a row."""
        _digest_row(self._digest, row)
        self.rows += 1
        self.rows_without_depth += row.example.depth is None
        self._group.append(row)
        if len(self._group) == self._most:
            self._flush()

    def finish(self) -> bytes:
        """Returns the file; nothing can be added after."""
        if self._group:
            self._flush()
        self._file.close()
        return bytes(self._sink.getvalue().to_pybytes())

    @property
    def content(self) -> str:
        """SHA-256 of what the rows hold, see `content_digest`."""
        return self._digest.hexdigest()

    @property
    def row_groups(self) -> tuple[int, ...]:
        """Rows of each row group."""
        full, rest = divmod(self.rows, self._most)
        return (self._most,) * full + ((rest,) if rest else ())

    def _flush(self) -> None:
        table = pa.Table.from_pylist([row.to_arrow() for row in self._group], schema=SCHEMA)
        self._file.write_table(table, row_group_size=self._most)
        self._group.clear()


def encode_shard(rows: Sequence[Row], row_group_rows: int) -> bytes:
    """Writes rows to a Parquet file in memory; see `ShardWriter`."""
    writer = ShardWriter(row_group_rows)
    for row in rows:
        writer.add(row)
    return writer.finish()


def content_digest(rows: Iterable[Row]) -> str:
    """Returns the SHA-256 of what the rows hold, independent of Parquet and its version."""
    digest = hashlib.sha256()
    for row in rows:
        _digest_row(digest, row)
    return digest.hexdigest()


def _digest_row(digest: Any, row: Row) -> None:
    example = row.example
    parts: list[bytes | None] = [example.key.encode(), example.species.encode(), example.split.encode(), example.image, example.depth]
    for view in example.views:
        parts += [struct.pack("<ff", view.yaw, view.pitch), view.image, view.depth, view.masks]
    for part in parts:
        digest.update(_ABSENT if part is None else struct.pack("<Q", len(part)))
        digest.update(part or b"")
