"""Which examples go into which shard; the same examples give the same plans."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote

from orchestrator.shards.receipts import receipts_folder
from orchestrator.shards.sources import Item


@dataclass(frozen=True)
class ShardPlan:
    """A shard to be built.

    Attributes:
        path: Where it goes, relative to the dataset.
        receipt: Where its receipt goes.
        split: Split of all its rows.
        species: Species of all its rows.
        part: Number within split and species.
        items: What it is built from.
        row_group_rows: Rows of a row group.
        strict: Write nothing if any of the items is unusable.
    """

    path: str
    receipt: str
    split: str
    species: str
    part: int
    items: tuple[Item, ...]
    row_group_rows: int
    strict: bool


def plan_shards(
    items: Sequence[Item], fingerprint: str, *, rows_per_shard: int, shard_bytes: int, row_group_rows: int, strict: bool
) -> list[ShardPlan]:
    """Divides items into shards by split and species, in the order of their keys."""
    plans = []
    ordered = sorted(items, key=lambda item: (item.split, item.species, item.key))
    for (split, species), members in groupby(ordered, key=lambda item: (item.split, item.species)):
        folder = f"split={quote(split, safe='')}/species={quote(species, safe='')}"
        for part, chosen in enumerate(_parts(members, rows_per_shard, shard_bytes)):
            name = f"{folder}/part-{part:05d}"
            path, receipt = f"shards/{fingerprint}/{name}.parquet", f"{receipts_folder(fingerprint)}/{name}.json"
            plans.append(ShardPlan(path, receipt, split, species, part, chosen, row_group_rows, strict))
    return plans


def _parts(items: Iterator[Item], most_rows: int, most_bytes: int) -> Iterator[tuple[Item, ...]]:
    part: list[Item] = []
    size = 0
    for item in items:
        if part and (len(part) == most_rows or size + item.size > most_bytes):
            yield tuple(part)
            part, size = [], 0
        part.append(item)
        size += item.size
    if part:
        yield tuple(part)
