"""A contact sheet of a dataset: some pictures of every species, each with its depth below, if any row has some."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from g3dr.errors import DataError
from g3dr.export.pictures import contact_sheet, depth_picture
from g3dr.pictures import DEPTH_NEAR, DEPTH_RANGE, decode_depth, decode_image
from orchestrator.shards.cropping import resize_image, resize_nearest
from orchestrator.shards.manifest import Manifest, Shard
from orchestrator.shards.rows import SCHEMA, Row, rows_of_table
from orchestrator.shards.selection import RowGroup
from orchestrator.shards.shard_file import read_row_group
from orchestrator.store import Store

Picture = NDArray[np.uint8]
_NO_DEPTH = 235
_PAPER = 255


def dataset_sheet(
    store: Store, manifest: Manifest, *, examples: int = 2, columns: int = 8, most_species: int = 32, side: int = 96
) -> Picture:
    """Draws the first rows of every species; depth is bright near the camera and dark far from it, gray where there is none.

    Args:
        store: Where the dataset lives.
        manifest: The version that is shown.
        examples: Pictures of each species.
        columns: Species side by side.
        most_species: Species at most; of more, those that divide the list evenly.
        side: Side of each picture, pixels.

    Raises:
        DataError: A shard is damaged.
    """
    every = manifest.species()
    chosen = [every[number] for number in np.unique(np.linspace(0, len(every) - 1, min(most_species, len(every))).astype(int))]
    bands = [_band(store, manifest, chosen[start : start + columns], examples, side) for start in range(0, len(chosen), columns)]
    width = max(band.shape[1] for band in bands)
    padded = [np.pad(band, ((0, 0), (0, width - band.shape[1]), (0, 0)), constant_values=_PAPER) for band in bands]
    return np.concatenate(padded)


def _band(store: Store, manifest: Manifest, species: Sequence[str], examples: int, side: int) -> Picture:
    with_depth = manifest.rows() > sum(shard.rows_without_depth for shard in manifest.shards)
    columns = [_column(_first_rows(store, manifest, name, examples), examples, side, with_depth=with_depth) for name in species]
    return np.asarray(contact_sheet([list(row) for row in zip(*columns, strict=True)], species))


def _first_rows(store: Store, manifest: Manifest, species: str, examples: int) -> list[Row]:
    shards = [shard for shard in manifest.shards if shard.species == species]
    found: list[Row] = []
    for shard, group in _groups(sorted(shards, key=lambda shard: (shard.split != "train", shard.part))):
        found += rows_of_table(read_row_group(store.uri, RowGroup(shard, group), SCHEMA.names))[: examples - len(found)]
        if len(found) == examples:
            break
    return found


def _groups(shards: Sequence[Shard]) -> Iterator[tuple[Shard, int]]:
    return ((shard, group) for shard in shards for group in range(len(shard.row_groups)))


def _column(rows: Sequence[Row], examples: int, side: int, *, with_depth: bool) -> list[Picture]:
    blank = np.full((side, side, 3), _PAPER, dtype=np.uint8)
    pictures = [picture for row in rows for picture in _pair(row, side)[: 2 if with_depth else 1]]
    return pictures + [blank] * ((2 if with_depth else 1) * examples - len(pictures))


def _pair(row: Row, side: int) -> tuple[Picture, Picture]:
    try:
        image = resize_image(decode_image(row.example.image), side)
        if row.example.depth is None:
            return image, np.full((side, side, 3), _NO_DEPTH, dtype=np.uint8)
        depth = np.asarray(resize_nearest(decode_depth(row.example.depth), side), dtype=np.float32)
    except DataError as error:
        raise DataError(f"{row.example.key}: {error}") from error
    return image, depth_picture(depth, DEPTH_NEAR, DEPTH_NEAR + DEPTH_RANGE)
