"""Photographs in a tree of files, with or without depth maps."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from g3dr.errors import DataError
from g3dr.examples import RgbdExample
from orchestrator.experiment.folder_config import FolderConfig
from orchestrator.shards.layouts import Placed, place_all
from orchestrator.shards.preparing import DepthMapError, Preparation, prepared
from orchestrator.shards.rows import Row
from orchestrator.shards.sources.listing import Listing, list_pictures
from orchestrator.shards.sources.picking import held_out, kept_items
from orchestrator.shards.sources.protocol import one_by_one
from orchestrator.shards.trees import Tree, TreeFile, clean_name, open_tree

# Fields that datasets had from the start; later ones count only where they are set, so that these keep their names.
_FIRST_FIELDS = {"depth_suffix", "species", "held_out", "seed", "resolution"}
# Where something lies does not count: a copy elsewhere is the same source.
_PLACES = {"path", "depth_root", "labels"}
_KEPT = "_listing"


@dataclass(frozen=True)
class FolderItem:
    """A picture file and its place in the dataset."""

    key: str
    species: str
    split: str
    image: TreeFile
    depth: TreeFile | None
    size: int
    problem: str = ""


@dataclass(frozen=True)
class FolderSource(FolderConfig):
    """Pictures below a folder, in tar files or in object storage; see docs/data.md for the layouts."""

    def description(self) -> Mapping[str, Any]:
        """See `Source`; files count by name, size and time of change, since reading a million of them would take hours.

        What is found is kept for `items`, so that both speak of the same files.
        """
        listing = self.__dict__[_KEPT] = list_pictures(self, self._tree, self._depth_tree)
        counted = [field for field in fields(FolderConfig) if field.name not in _PLACES]
        given = {field.name: getattr(self, field.name) for field in counted}
        options = {field.name: given[field.name] for field in counted if field.name in _FIRST_FIELDS or given[field.name] != field.default}
        return {"kind": "folder", "folder": clean_name(self._tree.name), **listing.digests(), **options}

    def items(self) -> Sequence[FolderItem]:
        """See `Source`."""
        listing: Listing = self.__dict__.pop(_KEPT, None) or list_pictures(self, self._tree, self._depth_tree)
        placed = place_all(listing.pictures, self._tree.name, self.layout, listing.labels)
        chosen = [entry for entry in _unique(self._split(placed)) if self.species is None or entry.species in self.species]
        items = kept_items([self._item(entry, listing) for entry in chosen], self.subset, self.seed)
        missing = set(self.species or ()) - {item.species for item in items}
        if missing:
            raise DataError(f"{self.path}: no pictures of the species {', '.join(sorted(missing))}")
        if not items:
            raise DataError(f"{self.path}: no pictures here; expected <species>/name.jpg with name{self.depth_suffix} beside it")
        return items

    def rows(self, items: Sequence[FolderItem]) -> Iterator[Row | DataError]:
        """See `Source`."""
        return one_by_one(self._load, items)

    @property
    def preparation(self) -> Preparation:
        """What is done to the pictures."""
        return Preparation(self.resolution, self.crop, self.depth)

    @cached_property
    def _tree(self) -> Tree:
        return open_tree(self.path)

    @cached_property
    def _depth_tree(self) -> Tree:
        return self._tree if self.depth_root is None else open_tree(self.depth_root)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the listing behind: the items that travel with it are all that the other process needs."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _load(self, item: FolderItem) -> Row:
        try:
            if item.problem:
                raise DataError(item.problem)
            self._require_depth(item)
            image = self._tree.read(item.image)
            depth = None if item.depth is None else self._depth_tree.read(item.depth)
            return prepared(RgbdExample(item.key, item.species, item.split, image, depth), self.preparation)
        except DepthMapError as error:
            name = f" {self._depth_tree.where(item.depth.path)}" if item.depth else ""
            raise DataError(f"{self._tree.where(item.image.path)}: its depth map{name}: {error.reason}") from error
        except DataError as error:
            raise DataError(f"{self._tree.where(item.image.path)}: {error}") from error

    def _require_depth(self, item: FolderItem) -> None:
        if item.depth is None and self.depth == "required":
            name = self._depth_name(item)
            place = "beside it" if self.depth_root is None else f"in {self.depth_root}"
            raise DataError(f"no depth map {name} {place}; to estimate it, pack with `--depth none` and run `g3dr data depth`")

    def _depth_name(self, item: FolderItem) -> str:
        name = clean_name(item.image.path.rpartition("/")[2])
        return (name.rpartition(".")[0] or name) + self.depth_suffix

    def _split(self, placed: list[Placed]) -> list[Placed]:
        """Draws a split for pictures whose place does not say it."""
        undecided = [entry for entry in placed if entry.split is None]
        tested = held_out([entry.key for entry in undecided], [entry.species for entry in undecided], self.held_out, self.seed)
        drawn = (entry._replace(split="test" if number in tested else "train") for number, entry in enumerate(undecided))
        return [next(drawn) if entry.split is None else entry for entry in placed]

    def _item(self, placed: Placed, listing: Listing) -> FolderItem:
        depth = listing.depth_of(placed.file)
        size = placed.file.size + (depth.size if depth else 0) if self.preparation.keeps_bytes else 0
        return FolderItem(placed.key, placed.species, str(placed.split), placed.file, depth, size, placed.problem)


def _unique(placed: Iterable[Placed]) -> Iterator[Placed]:
    """Gives pictures that would share a key different ones: by their ending first, then by a number."""
    taken: set[str] = set()
    for entry in placed:
        key, number = entry.key, 1
        if key in taken:
            key = base = entry.key + clean_name("." + entry.file.path.rpartition(".")[2])
            while key in taken:
                number += 1
                key = f"{base}~{number}"
        taken.add(key)
        yield entry if key == entry.key else entry._replace(key=key)
