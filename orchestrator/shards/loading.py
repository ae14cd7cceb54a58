"""A selection as a whole, decoded into memory: for small sets and for evaluation."""

from orchestrator.shards.decoding import DecodedRows, decode_rows
from orchestrator.shards.reading import Engine, read_rows
from orchestrator.shards.reading_plan import WholePlan
from orchestrator.shards.selection import RowGroups, Selection


def load_rows(selection: Selection, resolution: int, *, views: bool = True, engine: Engine = "auto") -> DecodedRows:
    """Reads and decodes all rows of a selection, ordered by species and key.

    Args:
        selection: Which rows.
        resolution: Side of the pictures, pixels; what is stored larger or smaller is resized.
        views: Keep the novel views.
        engine: See `read_rows`; both engines give the same rows.

    Raises:
        DataError: The dataset is missing, has changed, has no depth maps or is damaged.
    """
    plan = WholePlan(RowGroups(tuple(selection.shards())))
    return decode_rows(list(read_rows(selection.dataset, plan, views=views, engine=engine)), resolution)
