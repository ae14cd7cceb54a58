"""Rows and shard files: the columns, and bytes that are the same for the same rows."""

import hashlib
import struct
from collections.abc import Sequence
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


def encode_shard(rows: Sequence[Row], row_group_rows: int) -> bytes:
    """Writes rows to a Parquet file in memory.

    Pictures are compressed already, so the columns are not; nothing in the file depends on when or where it was written.
    """
    table = pa.Table.from_pylist([row.to_arrow() for row in rows], schema=SCHEMA)
    sink = pa.BufferOutputStream()
    parquet.write_table(
        table,
        sink,
        row_group_size=row_group_rows,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )
    return bytes(sink.getvalue().to_pybytes())


def content_digest(rows: Sequence[Row]) -> str:
    """Returns the SHA-256 of what the rows hold, independent of Parquet and its version."""
    digest = hashlib.sha256()
    for row in rows:
        example = row.example
        parts = [example.key.encode(), example.species.encode(), example.split.encode(), example.image, example.depth]
        for view in example.views:
            parts += [struct.pack("<ff", view.yaw, view.pitch), view.image, view.depth, view.masks]
        for part in parts:
            digest.update(struct.pack("<Q", len(part)))
            digest.update(part)
    return digest.hexdigest()
