"""What a dataset holds, counted from its manifest alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from g3dr.errors import DataError
from orchestrator.shards.manifest import Manifest, Quarantined, read_manifest
from orchestrator.shards.publishing import packed_versions
from orchestrator.store import Store


@dataclass(frozen=True)
class SpeciesCount:
    """One species in numbers.

    Attributes:
        species: Its name.
        rows: Rows of each split that it has.
        bytes: Of its shards.
        rows_without_depth: Rows that have no depth map yet.
    """

    species: str
    rows: Mapping[str, int]
    bytes: int
    rows_without_depth: int


@dataclass(frozen=True)
class VersionLine:
    """A version in one line.

    Attributes:
        version: Its hash.
        packed: When it was first complete, ISO 8601 in UTC; empty where nobody wrote it down.
        rows: All its rows.
        species: How many species it has.
        current: It is what readers get that ask for no version.
    """

    version: str
    packed: str
    rows: int
    species: int
    current: bool


@dataclass(frozen=True)
class Summary:
    """A dataset in numbers.

    Attributes:
        uri: Where it lies.
        version: The version that is described.
        source: What it was packed from, with the options of packing.
        rows: Rows of each split.
        species: Every species, sorted.
        shards: How many shards there are.
        bytes: Of all shards.
        has_depth: Whether every row has a depth map.
        quarantine: What was left out, and why.
        versions: All versions that were ever complete, the newest first.
    """

    uri: str
    version: str
    source: Mapping[str, Any]
    rows: Mapping[str, int]
    species: tuple[SpeciesCount, ...]
    shards: int
    bytes: int
    has_depth: bool
    quarantine: tuple[Quarantined, ...]
    versions: tuple[VersionLine, ...]

    def to_document(self) -> dict[str, Any]:
        """Returns it as JSON."""
        return asdict(self)


def summarize(store: Store, version: str = "") -> Summary:
    """Counts a dataset.

    Args:
        store: Where it lives.
        version: An earlier version, or its first letters; empty for the current one.

    Raises:
        DataError: There is none, or its manifest is damaged.
    """
    manifest = read_manifest(store, version)
    if manifest is None:
        raise DataError(f"{store.uri}: no dataset here" + (f" of version {version}" if version else "; make one with `g3dr data pack`"))
    return Summary(
        uri=store.uri,
        version=manifest.version,
        source=manifest.source,
        rows={split: manifest.rows(split) for split in sorted({shard.split for shard in manifest.shards})},
        species=_by_species(manifest),
        shards=len(manifest.shards),
        bytes=sum(shard.bytes for shard in manifest.shards),
        has_depth=manifest.has_depth,
        quarantine=manifest.quarantine,
        versions=tuple(
            VersionLine(one.manifest.version, one.packed, one.manifest.rows(), len(one.manifest.species()), one.current)
            for one in packed_versions(store)
        ),
    )


def _by_species(manifest: Manifest) -> tuple[SpeciesCount, ...]:
    rows: dict[str, Counter[str]] = {}
    sizes, lacking = Counter[str](), Counter[str]()
    for shard in manifest.shards:
        rows.setdefault(shard.species, Counter())[shard.split] += shard.rows
        sizes[shard.species] += shard.bytes
        lacking[shard.species] += shard.rows_without_depth
    return tuple(SpeciesCount(name, dict(rows[name]), sizes[name], lacking[name]) for name in sorted(rows))
