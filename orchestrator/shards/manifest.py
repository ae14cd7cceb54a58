"""The manifest: what a dataset consists of, and its version."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from g3dr.errors import DataError
from orchestrator.store import Store

MANIFEST = "manifest.json"
HISTORY = "manifests"
"""Folder of the manifests of every version that was ever complete here."""

_FORMAT = 1


@dataclass(frozen=True)
class Shard:
    """One Parquet file.

    Attributes:
        path: Relative to the dataset.
        split: `train` or `test`.
        species: Species of all its rows.
        part: Number within its split and species.
        row_groups: Rows of each row group.
        bytes: Size of the file.
        sha256: Checksum of the file.
        content: SHA-256 over its rows, whatever wrote the file.
        rows_without_depth: How many of its rows have no depth map.
        checksums: CRC-32 of the rows of each row group, see `checksums.py`; empty in datasets that are older than the field.
    """

    path: str
    split: str
    species: str
    part: int
    row_groups: tuple[int, ...]
    bytes: int
    sha256: str
    content: str
    rows_without_depth: int = 0
    checksums: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.row_groups)


@dataclass(frozen=True)
class Quarantined:
    """An example that was left out, and why.

    Attributes:
        key: Key it would have had.
        reason: One sentence.
    """

    key: str
    reason: str


@dataclass(frozen=True)
class Manifest:
    """A dataset as it is in the store.

    Attributes:
        source: What it was packed from, with the options of packing.
        fingerprint: First 16 hex digits of the SHA-256 of `source`.
        shards: Sorted by split, species and part; rows are numbered in this order.
        quarantine: What was left out.
    """

    source: Mapping[str, Any]
    fingerprint: str
    shards: tuple[Shard, ...]
    quarantine: tuple[Quarantined, ...] = ()

    @property
    def version(self) -> str:
        """First 16 hex digits of the SHA-256 of the rows and of their arrangement, on which the training order depends."""
        return fingerprint_of([[shard.split, shard.species, shard.part, list(shard.row_groups), shard.content] for shard in self.shards])

    @property
    def has_depth(self) -> bool:
        """Whether every row has a depth map, which training needs."""
        return not any(shard.rows_without_depth for shard in self.shards)

    def rows(self, split: str | None = None) -> int:
        """Number of rows, of one split or of all."""
        return sum(shard.rows for shard in self.shards if split in {None, shard.split})

    def species(self, split: str | None = None) -> tuple[str, ...]:
        """Species with at least one row, sorted."""
        return tuple(sorted({shard.species for shard in self.shards if split in {None, shard.split}}))

    def to_json(self) -> bytes:
        """Returns the file's content; equal manifests give equal bytes."""
        return json.dumps({"format": _FORMAT, "version": self.version, **asdict(self)}, indent=1, sort_keys=True).encode()


def fingerprint_of(value: object) -> str:
    """Returns the first 16 hex digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def shard_from_json(record: Mapping[str, Any]) -> Shard:
    """Reads one shard's entry."""
    return Shard(**{**record, "row_groups": tuple(record["row_groups"]), "checksums": tuple(record.get("checksums", ()))})


def read_manifest(store: Store, version: str = "") -> Manifest | None:
    """Reads the manifest of the dataset in `store`, or None if there is none.

    Args:
        store: Where the dataset lives.
        version: An earlier version, or its first letters; empty for the one that is current.

    Raises:
        DataError: The file is damaged, or of a newer format; or several versions begin so.
        StoreError: The store cannot be used.
    """
    current = _read(store, MANIFEST)
    if current is not None and current.version.startswith(version):
        return current
    names = [name for name in store.list(HISTORY) if name.removeprefix(f"{HISTORY}/").startswith(version)]
    if current is None or not names:
        return None
    if len(names) > 1:
        raise DataError(f"{store.uri}: {len(names)} versions begin with {version}; write more of its letters")
    return _read(store, names[0])


def _read(store: Store, name: str) -> Manifest | None:
    try:
        data = store.read_bytes(name)
    except FileNotFoundError:
        return None
    try:
        manifest, version = parse_manifest(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{store.uri}/{name}: not a dataset manifest of this version of g3dr; pack the dataset again") from error
    if manifest.version != version:
        raise DataError(f"{store.uri}/{name}: changed since it was written; pack the dataset again")
    return manifest


def parse_manifest(record: Mapping[str, Any]) -> tuple[Manifest, str]:
    """Reads a manifest and the version that it says it has.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: It is none.
    """
    if record["format"] != _FORMAT:
        raise ValueError(record["format"])
    shards = tuple(shard_from_json(shard) for shard in record["shards"])
    quarantine = tuple(Quarantined(**entry) for entry in record["quarantine"])
    return Manifest(record["source"], record["fingerprint"], shards, quarantine), record["version"]
