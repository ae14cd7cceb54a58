"""Another dataset as a source: filtered, cut down, split anew, resized."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import groupby
from typing import Any

from pyarrow import parquet

from g3dr.errors import DataError, ShardError
from orchestrator.experiment.folder_config import check_picking, check_resolution
from orchestrator.shards.manifest import Manifest, Shard, read_manifest
from orchestrator.shards.preparing import Preparation, prepared
from orchestrator.shards.rows import SCHEMA, Row, rows_of_table
from orchestrator.shards.selection import RowGroup, refuse_unknown_species
from orchestrator.shards.shard_file import read_row_group, shard_errors
from orchestrator.shards.sources.picking import held_out, kept_items
from orchestrator.store import Store, open_store


@dataclass(frozen=True)
class DatasetItem:
    """A row of the other dataset and its place in the new one."""

    key: str
    species: str
    split: str
    shard: Shard
    group: int
    offset: int
    size: int


@dataclass(frozen=True)
class DatasetSource:
    """Rows of another dataset; every byte of them is kept unless the preparation asks for something else.

    Attributes:
        uri: Where the other dataset lies.
        version: The version that must be there; empty takes the newest.
        species: Only these; None for all.
        subset: See `FolderConfig`.
        held_out: Part of every species for the test split; None keeps the splits as they are.
        seed: Decides which ones are held out, and which a subset keeps.
        preparation: What is done to the pictures.
    """

    uri: str
    version: str = ""
    species: tuple[str, ...] | None = None
    subset: float | None = None
    held_out: float | None = None
    seed: int = 0
    preparation: Preparation = field(default_factory=Preparation)

    def __post_init__(self) -> None:
        check_picking(self.held_out, self.subset, "dataset")
        check_resolution(self.preparation.resolution, "dataset")

    def description(self) -> Mapping[str, Any]:
        """See `Source`; the version stands for all that the other dataset holds."""
        self.__dict__.pop("manifest", None)  # as it is now, and for `items` the same
        choices = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in {"uri", "version", "preparation"}}
        return {"kind": "dataset", "version": self.manifest.version, **choices, "preparation": self.preparation.description()}

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the other dataset.

        Raises:
            DataError: There is none, or none of this version.
        """
        found = read_manifest(self._store, self.version)
        if found is None:
            raise DataError(f"{self.uri}: no dataset here" + (f" of version {self.version}" if self.version else ""))
        return found

    def items(self) -> Sequence[DatasetItem]:
        """See `Source`; reads the keys, not the pictures."""
        refuse_unknown_species(self.uri, self.manifest, self.species or ())
        wanted = [shard for shard in self.manifest.shards if self.species is None or shard.species in self.species]
        items = [item for shard in wanted for item in self._rows_of(shard)]
        return kept_items(self._split(items), self.subset, self.seed)

    def rows(self, items: Sequence[DatasetItem]) -> Iterator[Row | DataError]:
        """See `Source`; reads every row group once as long as its rows follow each other, as they do in the order of keys."""
        for (_, group), members in groupby(items, key=lambda item: (item.shard.path, item.group)):
            chosen = list(members)
            yield from self._rows_of_group(RowGroup(chosen[0].shard, group), chosen)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the manifest behind."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def _store(self) -> Store:
        return open_store(self.uri)

    def _rows_of(self, shard: Shard) -> Iterator[DatasetItem]:
        size = shard.bytes // max(1, shard.rows) if self.preparation.keeps_bytes else 0
        keys = self._keys(shard)
        groups = [(group, offset) for group, rows in enumerate(shard.row_groups) for offset in range(rows)]
        if len(keys) != len(groups):
            raise ShardError(f"{self.uri}/{shard.path}", f"has {len(keys)} rows, the manifest promises {len(groups)}")
        for key, (group, offset) in zip(keys, groups, strict=True):
            yield DatasetItem(key, shard.species, shard.split, shard, group, offset, size)

    def _keys(self, shard: Shard) -> list[str]:
        with shard_errors(f"{self.uri}/{shard.path}"), self._store.open_file(shard.path) as file:
            keys: list[str] = parquet.read_table(file, columns=["key"])["key"].to_pylist()
            return keys

    def _rows_of_group(self, wanted: RowGroup, items: list[DatasetItem]) -> Iterator[Row | DataError]:
        try:
            found = rows_of_table(read_row_group(self.uri, wanted, SCHEMA.names).take([item.offset for item in items]))
        except ShardError as error:
            yield from (error for _ in items)
            return
        for row, item in zip(found, items, strict=True):
            yield self._changed(row, item)

    def _changed(self, row: Row, item: DatasetItem) -> Row | DataError:
        example = replace(row.example, species=item.species, split=item.split)
        unchanged = self.preparation.keeps_bytes and (example.depth is not None or self.preparation.depth != "required")
        try:
            return replace(row, example=self._without_depth(example)) if unchanged else prepared(example, self.preparation)
        except DataError as error:
            return DataError(f"{self.uri}, {item.key}: {error}")

    def _without_depth(self, example: Any) -> Any:
        return replace(example, depth=None) if self.preparation.depth == "none" else example

    def _split(self, items: list[DatasetItem]) -> list[DatasetItem]:
        if self.held_out is None:
            return items
        tested = held_out([item.key for item in items], [item.species for item in items], self.held_out, self.seed)
        return [replace(item, split="test" if number in tested else "train") for number, item in enumerate(items)]
