"""One shard: planned, built, written and receipted; runs in any process."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any
from urllib.parse import quote

from PIL import Image

from g3dr.errors import DataError, G3drError
from orchestrator.shards.manifest import Quarantined, Shard, shard_from_json
from orchestrator.shards.rows import Row, content_digest, encode_shard
from orchestrator.shards.sources import Item, Source
from orchestrator.store import Store

_ORIENTATION, _FIRST_SIDEWAYS = 0x0112, 5


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


@dataclass(frozen=True)
class Receipt:
    """What came of a plan: a shard, unless nothing in it was usable, and what was left out."""

    shard: Shard | None
    quarantine: tuple[Quarantined, ...]

    def to_json(self) -> bytes:
        """Returns the file's content."""
        return json.dumps(asdict(self), sort_keys=True).encode()


@dataclass(frozen=True)
class Outcome:
    """A receipt, or the sentence that says why the store refused; `path` names the plan."""

    path: str
    receipt: Receipt
    error: str = ""


def receipts_folder(fingerprint: str) -> str:
    """Returns where the receipts of an unfinished pack lie."""
    return f"packing/{fingerprint}"


def plan_shards(items: Sequence[Item], fingerprint: str, rows_per_shard: int, row_group_rows: int, *, strict: bool) -> list[ShardPlan]:
    """Divides items into shards by split and species, in the order of their keys; the same items give the same plans."""
    plans = []
    ordered = sorted(items, key=lambda item: (item.split, item.species, item.key))
    for (split, species), members in groupby(ordered, key=lambda item: (item.split, item.species)):
        folder = f"split={quote(split, safe='')}/species={quote(species, safe='')}"
        group = list(members)
        for part, start in enumerate(range(0, len(group), rows_per_shard)):
            name = f"{folder}/part-{part:05d}"
            path, receipt = f"shards/{fingerprint}/{name}.parquet", f"{receipts_folder(fingerprint)}/{name}.json"
            chosen = tuple(group[start : start + rows_per_shard])
            plans.append(ShardPlan(path, receipt, split, species, part, chosen, row_group_rows, strict))
    return plans


def run_plan(source: Source, store: Store, plan: ShardPlan) -> Outcome:
    """Builds and writes one shard, then its receipt; what the store refuses comes back as a sentence."""
    try:
        receipt, data = build(source, plan)
        if receipt.shard is not None:
            store.write_bytes(plan.path, data)
        if not (plan.strict and receipt.quarantine):
            store.write_bytes(plan.receipt, receipt.to_json())
    except G3drError as error:
        return Outcome(plan.path, Receipt(None, ()), str(error))
    return Outcome(plan.path, receipt)


def build(source: Source, plan: ShardPlan) -> tuple[Receipt, bytes]:
    """Loads the items of a plan and returns the receipt and the bytes of the shard, empty if there is none."""
    rows, quarantine = [], []
    for item in plan.items:
        try:
            rows.append(_load(source, item))
        except DataError as error:
            quarantine.append(Quarantined(item.key, str(error)))
            if plan.strict:
                break
    if not rows or (plan.strict and quarantine):
        return Receipt(None, tuple(quarantine)), b""
    data = encode_shard(rows, plan.row_group_rows)
    return Receipt(_entry(plan, rows, data), tuple(quarantine)), data


def _load(source: Source, item: Item) -> Row:
    example = source.load(item)
    return Row(example, *_picture_size(example.image))


def _picture_size(data: bytes) -> tuple[int, int]:
    """Returns width and height as they are after the rotation that the camera noted in the file."""
    with Image.open(io.BytesIO(data)) as picture:
        width, height = picture.size
        sideways = picture.getexif().get(_ORIENTATION, 1) >= _FIRST_SIDEWAYS
    return (height, width) if sideways else (width, height)


def _entry(plan: ShardPlan, rows: Sequence[Row], data: bytes) -> Shard:
    full, rest = divmod(len(rows), plan.row_group_rows)
    groups = (plan.row_group_rows,) * full + ((rest,) if rest else ())
    return Shard(
        path=plan.path,
        split=plan.split,
        species=plan.species,
        part=plan.part,
        row_groups=groups,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content=content_digest(rows),
    )


def read_receipts(store: Store, fingerprint: str) -> dict[str, Receipt]:
    """Reads the receipts of an interrupted pack whose shards are still as they were written; by the path of the shard."""
    folder = receipts_folder(fingerprint)
    found = {}
    for name in store.list(folder):
        receipt = _parse(json.loads(store.read_bytes(name)))
        if receipt.shard is None or _is_intact(store, receipt.shard):
            path = "shards" + name.removeprefix("packing").removesuffix(".json") + ".parquet"
            found[path] = receipt
    return found


def _parse(record: dict[str, Any]) -> Receipt:
    shard = shard_from_json(record["shard"]) if record["shard"] else None
    return Receipt(shard, tuple(Quarantined(**entry) for entry in record["quarantine"]))


def _is_intact(store: Store, shard: Shard) -> bool:
    try:
        return hashlib.sha256(store.read_bytes(shard.path)).hexdigest() == shard.sha256
    except FileNotFoundError:
        return False
