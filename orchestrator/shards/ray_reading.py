"""One long Ray Data execution for all steps of a training.

An execution for every epoch would restart all its tasks at each boundary, which takes seconds of silence. Here the dataset is
a list of numbers, one for each piece of the plan; a task reads its piece and hands over blocks as they are wanted, so that
neither the number of tasks nor what lies in the object store grows with the number of steps.
"""

import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from ray.data._internal.execution.execution_callback import ExecutionCallback

from g3dr.errors import DataError, G3drError
from orchestrator.shards.execution import quiet_ray_data
from orchestrator.shards.reading import planned_schema, planned_tables
from orchestrator.shards.reading_plan import ReadingPlan

# The piece that is being used and the next. They take no CPU: they wait for the store or for the trainer, and a task that
# held a CPU while another worker's task waits for one could hold up both workers for ever.
_TASKS, _TASK_CPUS = 2, 0
_BLOCK_BYTES = 4 * 2**20
_PIECE, _PROBLEM = "piece", "problem"
# How long Ray Data's loop rests after each round: a hundred blocks a second may pass.
_REST_SECONDS = 0.01


class Rest(ExecutionCallback):  # type: ignore[misc]  # Ray comes without types
    """Makes the loop that runs the tasks rest.

    It runs in the trainer's process and waits for tasks that have something to hand over. While the trainer has not taken what
    came before, they always have, and the loop would turn without a pause: it took half of the process.
    """

    def on_execution_step(self, executor: Any) -> None:  # noqa: ARG002 (Ray's call)
        """Leaves the process to the trainer."""
        time.sleep(_REST_SECONDS)


def ray_tables(dataset: str, plan: ReadingPlan, columns: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of a whole plan in the order of its reads, as tables of a few megabytes.

    Args:
        dataset: URI of the dataset.
        plan: What to read.
        columns: See `planned_tables`.

    Raises:
        DataError: A shard is missing, damaged or changed; names it and the row group.
    """
    if not plan.pieces:
        return
    schema = planned_schema(columns).append(pa.field(_PROBLEM, pa.string()))

    # What is wrong travels as a row: Ray would wrap an exception, print it twice and abort with a page of its own.
    def task(batch: pa.Table) -> Iterator[pa.Table]:
        try:
            for piece in batch[_PIECE].to_pylist():
                for table in planned_tables(dataset, plan, range(piece, piece + 1), columns):
                    yield table.append_column(_PROBLEM, pa.nulls(len(table), pa.string())).cast(schema)
        except G3drError as error:
            yield pa.Table.from_pylist([{_PROBLEM: str(error)}], schema=schema)

    for table in _stream(task, plan.pieces):
        problems = table[_PROBLEM].drop_null().to_pylist()
        if problems:
            raise DataError(problems[0])
        yield table.drop_columns([_PROBLEM])


def _stream(task: Any, pieces: int) -> Iterator[pa.Table]:
    data = quiet_ray_data()
    slots = data.TaskPoolStrategy(size=min(_TASKS, pieces))
    numbers = data.from_items([{_PIECE: piece} for piece in range(pieces)], override_num_blocks=pieces)
    numbers.context.execution_options.preserve_order = True
    numbers.context.target_max_block_size = _BLOCK_BYTES
    numbers.context.custom_execution_callback_classes = [*numbers.context.custom_execution_callback_classes, Rest]
    stream = numbers.map_batches(task, batch_size=None, batch_format="pyarrow", num_cpus=_TASK_CPUS, compute=slots)
    yield from stream.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=2)
