"""Rows in the order of a plan, still encoded: through Ray Data, or directly with pyarrow."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from g3dr.errors import DataError
from orchestrator.shards.checksums import COLUMNS
from orchestrator.shards.execution import ray_is_up
from orchestrator.shards.reading_plan import Read, ReadingPlan
from orchestrator.shards.rows import SCHEMA
from orchestrator.shards.shard_file import read_row_group

Engine = Literal["auto", "ray", "pyarrow"]

TURN, FLIP = "turn", "flip"
_THREADS = 4
_READS_AHEAD = 8
# Read directly in less time than Ray Data takes to start.
_LITTLE_BYTES = 2**28


def columns_of(*, views: bool) -> list[str]:
    """Returns the columns that are read; of the novel views only on demand, because they are most of the bytes."""
    return [*COLUMNS, "views"] if views else list(COLUMNS)


def planned_schema(columns: list[str]) -> pa.Schema:
    """Returns the schema of planned rows: columns of the shards, the turn and the flip."""
    return pa.schema([*(SCHEMA.field(name) for name in columns), pa.field(TURN, pa.int64()), pa.field(FLIP, pa.int8())])


def read_rows(dataset: str, plan: ReadingPlan, *, views: bool, engine: Engine = "auto") -> Iterator[dict[str, Any]]:
    """Yields the rows of a plan, in the order of their turns, as dictionaries of the columns and `flip`.

    Holds only those rows whose row group came before their turn.

    Args:
        dataset: URI of the dataset.
        plan: What to read.
        views: Include the novel views, which only evaluation needs.
        engine: `ray` runs Ray Data tasks, `pyarrow` reads in this process, `auto` takes Ray where it is up and
            there is enough to read that its start is worth it.

    Raises:
        DataError: A shard is missing, damaged or changed; names it and the row group.
        StoreError: The store cannot be used.
    """
    columns = columns_of(views=views)
    waiting: dict[int, dict[str, Any]] = {}
    turn = 0
    for table in _tables(dataset, plan, columns, engine):
        for row in _rows(table):
            waiting[row.pop(TURN)] = row
        while turn in waiting:
            yield waiting.pop(turn)
            turn += 1
    if waiting or turn != plan.rows:
        raise DataError(f"{dataset}: {plan.rows} rows were planned, {turn} came")


def _tables(dataset: str, plan: ReadingPlan, columns: list[str], engine: Engine) -> Iterator[pa.Table]:
    if engine == "ray" or (engine == "auto" and ray_is_up() and _bytes(plan) > _LITTLE_BYTES):
        from orchestrator.shards.ray_reading import ray_tables  # noqa: PLC0415  Ray takes two seconds to import.

        return ray_tables(dataset, plan, columns)
    return planned_tables(dataset, plan, range(plan.pieces), columns)


def _bytes(plan: ReadingPlan) -> int:
    return sum(shard.bytes for shard in plan.groups.shards)


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    values = [table.column(name).to_pylist() for name in table.column_names]
    return (dict(zip(table.column_names, row, strict=True)) for row in zip(*values, strict=True))


def planned_tables(dataset: str, plan: ReadingPlan, pieces: range, columns: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of some pieces of a plan, one table for each read, in the order of the reads.

    Reads run ahead in threads, so that one that waits for the store does not hold up the others.

    Args:
        dataset: URI of the dataset.
        plan: What to read.
        pieces: Which pieces of it.
        columns: Names of the columns; see `planned_schema` for what is added.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        ahead: deque[Future[pa.Table]] = deque()
        reads = chain.from_iterable(plan.reads(piece) for piece in pieces)
        try:
            for read in reads:
                ahead.append(pool.submit(_planned_table, dataset, read, columns))
                if len(ahead) >= _READS_AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _planned_table(dataset: str, read: Read, columns: list[str]) -> pa.Table:
    rows = read_row_group(dataset, read.row_group, columns)
    if len(read.offsets) < len(rows):
        rows = rows.take(_array(read.offsets, pa.int64()))
    return rows.append_column(TURN, _array(read.turns, pa.int64())).append_column(FLIP, _array(read.flips.astype(np.int8), pa.int8()))


def _array(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """As `pa.array`, which would import pandas: three seconds in every process that reads."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
