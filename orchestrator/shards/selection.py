"""Which rows of which dataset somebody wants."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, overload

from g3dr.errors import DataError, did_you_mean
from orchestrator.shards.manifest import Manifest, Shard, read_manifest
from orchestrator.store import open_store


class RowGroup(NamedTuple):
    """A row group of a shard; the unit of reading.

    Attributes:
        shard: The shard's entry in the manifest.
        group: Number of the row group in the shard.
    """

    shard: Shard
    group: int

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.shard.row_groups[self.group]

    @property
    def checksum(self) -> int | None:
        """What `group_checksum` must give for its rows; None where the dataset is older than checksums."""
        return self.shard.checksums[self.group] if self.shard.checksums else None


@dataclass(frozen=True)
class RowGroups(Sequence[RowGroup]):
    """All row groups of some shards, in their order; rows are numbered through in this order.

    There may be a hundred thousand, so one is made only when it is asked for.

    Attributes:
        shards: In the order of the manifest.
    """

    shards: tuple[Shard, ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Rows of each row group."""
        return tuple(rows for shard in self.shards for rows in shard.row_groups)

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(len(shard.row_groups) for shard in self.shards))

    def __len__(self) -> int:
        return self._ends[-1] if self.shards else 0

    @overload
    def __getitem__(self, index: int) -> RowGroup: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RowGroup]: ...
    def __getitem__(self, index: int | slice) -> RowGroup | Sequence[RowGroup]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = bisect_right(self._ends, index)
        return RowGroup(self.shards[shard], index - (self._ends[shard - 1] if shard else 0))


@dataclass(frozen=True)
class Selection:
    """Rows of one dataset version.

    Attributes:
        dataset: URI of the dataset.
        version: The version that must be there; an empty string takes what there is.
        split: `train` or `test`.
        species: Only these; None for all.
    """

    dataset: str
    version: str
    split: str
    species: tuple[str, ...] | None = None

    def manifest(self) -> Manifest:
        """Reads the dataset's manifest.

        Raises:
            DataError: There is no dataset, or it has changed.
        """
        manifest = read_manifest(open_store(self.dataset))
        if manifest is None:
            raise DataError(f"{self.dataset}: no dataset here; make one with `g3dr data pack`")
        if self.version and manifest.version != self.version:
            raise DataError(f"{self.dataset}: version {manifest.version} is here, but {self.version} is asked for")
        return manifest

    def shards(self) -> list[Shard]:
        """Lists the shards with these rows.

        Raises:
            DataError: There is no dataset, it has changed or has no depth maps; an unknown species, or no row at all.
        """
        return self.shards_of(self.manifest())

    def shards_of(self, manifest: Manifest) -> list[Shard]:
        """Lists the shards with these rows, as `shards`, where the manifest has been read already."""
        refuse_unknown_species(self.dataset, manifest, self.species or ())
        found = [
            shard for shard in manifest.shards if shard.split == self.split and (self.species is None or shard.species in self.species)
        ]
        if not found:
            raise DataError(f"{self.dataset}: no rows in split {self.split!r}" + (f" of {', '.join(self.species)}" if self.species else ""))
        self._check_depth(found)
        return found

    def _check_depth(self, shards: list[Shard]) -> None:
        rows, lacking = sum(shard.rows for shard in shards), sum(shard.rows_without_depth for shard in shards)
        if lacking:
            what = "has no depth maps" if lacking == rows else f"{lacking} of {rows} rows have no depth map"
            raise DataError(f"{self.dataset}: {what}; add them with `g3dr data depth`")


def refuse_unknown_species(dataset: str, manifest: Manifest, wanted: Sequence[str]) -> None:
    """Makes sure that a dataset has all wanted species.

    Raises:
        DataError: It lacks one; says which there are, or which was meant.
    """
    known = manifest.species()
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {len(known)}, {known[0]} to {known[-1]}"
            raise DataError(f"{dataset}: no species {name!r} in this dataset; {hint}")
