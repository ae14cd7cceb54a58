"""A dataset of any size that is made quickly: a few pictures, repeated under new keys."""

import hashlib
from collections.abc import Sequence

from g3dr.examples import RgbdExample
from orchestrator.shards.checksums import group_checksums
from orchestrator.shards.manifest import MANIFEST, Manifest, Shard
from orchestrator.shards.rows import Row, content_digest, encode_shard
from orchestrator.shards.selection import Selection
from orchestrator.store import open_store


def write_dataset(
    folder: str, originals: Sequence[RgbdExample], *, rows: int, resolution: int, rows_per_shard: int, row_group_rows: int = 16
) -> Selection:
    """Writes a dataset whose shards are one species each.

    Args:
        folder: Where it goes.
        originals: The pictures, with depth maps of the same size.
        rows: How many rows; the pictures take turns.
        resolution: Side of the pictures, pixels.
        rows_per_shard: Rows of a file.
        row_group_rows: Rows that are read together.
    """
    store, shards = open_store(folder), list[Shard]()
    for number, start in enumerate(range(0, rows, rows_per_shard)):
        species = f"species_{number:04d}"
        chosen = [
            _row(originals[row % len(originals)], f"{species}/{row:07d}", species, resolution)
            for row in range(start, min(start + rows_per_shard, rows))
        ]
        shards.append(_shard(chosen, f"shards/split=train/species={species}/part-00000.parquet", species, row_group_rows, folder))
    manifest = Manifest({"kind": "repeated"}, "0" * 16, tuple(shards))
    store.write_bytes(MANIFEST, manifest.to_json())
    return Selection(store.uri, manifest.version, "train")


def _row(original: RgbdExample, key: str, species: str, resolution: int) -> Row:
    return Row(RgbdExample(key, species, "train", original.image, original.depth), resolution, resolution)


def _shard(rows: Sequence[Row], path: str, species: str, row_group_rows: int, folder: str) -> Shard:
    data = encode_shard(rows, row_group_rows)
    open_store(folder).write_bytes(path, data)
    full, rest = divmod(len(rows), row_group_rows)
    return Shard(
        path=path,
        split="train",
        species=species,
        part=0,
        row_groups=(row_group_rows,) * full + ((rest,) if rest else ()),
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content=content_digest(rows),
        rows_without_depth=sum(row.example.depth is None for row in rows),
        checksums=group_checksums(data),
    )
