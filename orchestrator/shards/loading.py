"""A selection as a whole, decoded into memory: for small sets and for evaluation."""

from orchestrator.shards.decoding import DecodedRows, decode_rows
from orchestrator.shards.reading import Engine, GroupRead, read_rows
from orchestrator.shards.selection import RowGroup, Selection, row_groups


def load_rows(selection: Selection, resolution: int, *, views: bool = True, engine: Engine = "auto") -> DecodedRows:
    """Reads and decodes all rows of a selection, ordered by species and key.

    Args:
        selection: Which rows.
        resolution: Side of the pictures, pixels; what is stored larger or smaller is resized.
        views: Keep the novel views.
        engine: See `read_rows`; both engines give the same rows.

    Raises:
        DataError: The dataset is missing, has changed or is damaged.
    """
    reads = [whole(group) for group in row_groups(selection.shards())]
    return decode_rows(list(read_rows(selection.dataset, reads, views=views, engine=engine)), resolution)


def whole(group: RowGroup) -> GroupRead:
    """Asks for all rows of a row group."""
    return GroupRead(group.path, group.group, tuple(range(group.rows)))
