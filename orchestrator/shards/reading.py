"""Reads row groups, in a given order, still encoded: through Ray Data, or directly with pyarrow."""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import pyarrow as pa
from pyarrow import parquet

from g3dr.errors import DataError, G3drError, ShardError
from orchestrator.shards.execution import quiet_ray_data, ray_has_room
from orchestrator.shards.rows import SCHEMA
from orchestrator.store import Store, open_store

Engine = Literal["auto", "ray", "pyarrow"]

# Reads are short; a quarter of a CPU lets a few of them run beside training, and bounds how many.
_TASK_CPUS = 0.25
_READS_PER_TASK = 8
_PROBLEM = "problem"


class GroupRead(NamedTuple):
    """One row group and which of its rows are wanted, in which order.

    Attributes:
        path: The shard, relative to the dataset.
        group: Number of the row group in the shard.
        offsets: Rows within the row group.
    """

    path: str
    group: int
    offsets: tuple[int, ...]


def read_rows(dataset: str, reads: Sequence[GroupRead], *, views: bool, engine: Engine = "auto") -> Iterator[dict[str, Any]]:
    """Yields the rows of all reads, in order, as dictionaries of the columns.

    Args:
        dataset: URI of the dataset.
        reads: What to read.
        views: Include the novel views, which only evaluation needs.
        engine: `ray` runs Ray Data tasks, `pyarrow` reads in this process, `auto` takes Ray where it is up and
            has a CPU to spare.

    Raises:
        DataError: A shard is missing or damaged; names it and the row group.
        StoreError: The store cannot be used.
    """
    columns = [name for name in SCHEMA.names if views or name != "views"]
    through_ray = engine == "ray" or (engine == "auto" and ray_has_room(_TASK_CPUS))
    tables = _tables_from_ray(dataset, reads, columns) if through_ray else _tables(dataset, reads, columns)
    for table in tables:
        yield from table.to_pylist()


def _tables(dataset: str, reads: Sequence[GroupRead], columns: list[str]) -> Iterator[pa.Table]:
    for read in reads:
        yield _read(dataset, read, columns)


def _read(dataset: str, read: GroupRead, columns: list[str]) -> pa.Table:
    uri = f"{dataset}/{read.path}"
    try:
        group = _open(dataset, read.path, os.getpid()).read_row_group(read.group, columns=columns)
        return group.take(pa.array(read.offsets, type=pa.int64()))
    except FileNotFoundError as error:
        raise ShardError(uri, "is missing") from error
    except (pa.ArrowException, OSError) as error:
        raise ShardError(uri, f"cannot be read ({str(error).splitlines()[0]})", read.group) from error


@lru_cache(maxsize=256)
def _open(dataset: str, path: str, _process: int) -> parquet.ParquetFile:
    """Keeps files open: their footers are read once, not once a row group."""
    store: Store = open_store(dataset)
    filesystem, folder = store.filesystem()
    return parquet.ParquetFile(filesystem.open_input_file(f"{folder}/{path}"), page_checksum_verification=True)


def _tables_from_ray(dataset: str, reads: Sequence[GroupRead], columns: list[str]) -> Iterator[pa.Table]:
    schema = pa.schema([SCHEMA.field(name) for name in columns] + [pa.field(_PROBLEM, pa.string())])

    # What is wrong travels as a row: Ray would wrap an exception, print it twice and abort with a page of its own.
    def task(batch: pa.Table) -> pa.Table:
        try:
            wanted = [GroupRead(row["path"], row["group"], tuple(row["offsets"])) for row in batch.to_pylist()]
            table = pa.concat_tables(_tables(dataset, wanted, columns))
            return table.append_column(schema.field(_PROBLEM), pa.nulls(len(table), pa.string())).cast(schema)
        except G3drError as error:
            return pa.Table.from_pylist([{_PROBLEM: str(error)}], schema=schema)

    data = quiet_ray_data()
    rows = [{"path": read.path, "group": read.group, "offsets": list(read.offsets)} for read in reads]
    blocks = -(-len(rows) // _READS_PER_TASK)
    stream = data.from_items(rows, override_num_blocks=blocks).map_batches(
        task, batch_size=None, batch_format="pyarrow", num_cpus=_TASK_CPUS
    )
    stream.context.execution_options.preserve_order = True
    for table in stream.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=2):
        problems = table[_PROBLEM].drop_null().to_pylist()
        if problems:
            raise DataError(problems[0])
        yield table.drop_columns([_PROBLEM])
