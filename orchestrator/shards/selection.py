"""Which rows of which dataset somebody wants."""

from dataclasses import dataclass
from typing import NamedTuple

from g3dr.errors import DataError, did_you_mean
from orchestrator.shards.manifest import Manifest, Shard, read_manifest
from orchestrator.store import open_store


class RowGroup(NamedTuple):
    """A row group of a shard; the unit of reading.

    Attributes:
        path: The shard, relative to the dataset.
        group: Number of the row group in the shard.
        rows: How many rows it has.
    """

    path: str
    group: int
    rows: int


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
            DataError: An unknown species, or no row at all.
        """
        manifest = self.manifest()
        known = manifest.species()
        for name in self.species or ():
            if name not in known:
                hint = did_you_mean(name, known) or f"there are {len(known)}, {known[0]} to {known[-1]}"
                raise DataError(f"{self.dataset}: no species {name!r} in this dataset; {hint}")
        found = [
            shard for shard in manifest.shards if shard.split == self.split and (self.species is None or shard.species in self.species)
        ]
        if not found:
            raise DataError(f"{self.dataset}: no rows in split {self.split!r}" + (f" of {', '.join(self.species)}" if self.species else ""))
        return found


def row_groups(shards: list[Shard]) -> list[RowGroup]:
    """Lists the row groups of shards in their order; rows are numbered through in this order."""
    return [RowGroup(shard.path, index, rows) for shard in shards for index, rows in enumerate(shard.row_groups)]
