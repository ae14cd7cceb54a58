"""Batches in training order: from memory where the data fit, as one long stream where they do not.

Both give the same batches, whatever the number of workers and wherever a run is resumed.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np

from g3dr.errors import DataError
from g3dr.types import Batch
from orchestrator.shards.decoding import DecodedRows, decode_rows
from orchestrator.shards.loading import load_rows
from orchestrator.shards.order import Draw, TrainingOrder, rank_positions
from orchestrator.shards.reading import Engine, GroupRead, read_rows
from orchestrator.shards.selection import RowGroup, Selection, row_groups

_BYTES_PER_PIXEL = 3 + 4
_DEFAULT_MEMORY = 2 * 2**30
_BATCHES_AHEAD = 3


@dataclass(frozen=True)
class Reader:
    """One worker's share of the training batches.

    Attributes:
        selection: Rows to train on.
        seed: Seed of the run.
        batch_size: Images per step over all workers; a multiple of `world_size`.
        resolution: Side of the pictures, pixels.
        flip: Mirror half of the pictures, as the order says.
        rank: This worker.
        world_size: Number of workers.
        source: `memory`, `stream`, or `auto`: memory up to `memory_bytes` of decoded pictures.
        memory_bytes: See `source`.
        engine: What reads; see `read_rows`.
    """

    selection: Selection
    seed: int
    batch_size: int
    resolution: int
    flip: bool = True
    rank: int = 0
    world_size: int = 1
    source: Literal["auto", "memory", "stream"] = "auto"
    memory_bytes: int = _DEFAULT_MEMORY
    engine: Engine = "auto"

    def __post_init__(self) -> None:
        if self.batch_size % self.world_size:
            raise DataError(f"training.batch_size: got {self.batch_size}, allowed: a multiple of the {self.world_size} workers")

    def batches(self, start_step: int, steps: int) -> Iterator[Batch]:
        """Yields this worker's part of the batches of `steps` steps.

        Args:
            start_step: The first step, 0 or more.
            steps: How many.

        Raises:
            DataError: The dataset is missing, has changed or is damaged.
        """
        groups = row_groups(self.selection.shards())
        order = TrainingOrder(tuple(group.rows for group in groups), self.selection.manifest().version, self.seed)
        return (
            self._from_memory(order, start_step, steps) if self._fits(order.rows) else self._from_stream(order, groups, start_step, steps)
        )

    def _fits(self, rows: int) -> bool:
        return self.source == "memory" or (self.source == "auto" and rows * self.resolution**2 * _BYTES_PER_PIXEL <= self.memory_bytes)

    def _draw(self, order: TrainingOrder, step: int) -> Draw:
        return order.draw(rank_positions(step, self.batch_size, self.rank, self.world_size))

    def _from_memory(self, order: TrainingOrder, start_step: int, steps: int) -> Iterator[Batch]:
        rows = load_rows(self.selection, self.resolution, views=False, engine=self.engine)
        for step in range(start_step, start_step + steps):
            draw = self._draw(order, step)
            yield rows.batch(draw.rows, draw.flips if self.flip else None)

    def _from_stream(self, order: TrainingOrder, groups: list[RowGroup], start_step: int, steps: int) -> Iterator[Batch]:
        encoded = self._encoded(order, groups, start_step, steps)
        with ThreadPoolExecutor(1) as pool:
            ahead: deque[Future[DecodedRows]] = deque()
            for step in range(start_step, start_step + steps):
                while len(ahead) < _BATCHES_AHEAD and (rows := list(islice(encoded, self.batch_size // self.world_size))):
                    ahead.append(pool.submit(decode_rows, rows, self.resolution))
                flips = self._draw(order, step).flips if self.flip else None
                decoded = ahead.popleft().result()
                yield decoded.batch(np.arange(len(decoded)), flips)

    def _encoded(self, order: TrainingOrder, groups: list[RowGroup], start_step: int, steps: int) -> Iterator[dict[str, Any]]:
        """Yields encoded rows in training order, holding only those whose row group came before their turn."""
        positions = np.concatenate(
            [rank_positions(step, self.batch_size, self.rank, self.world_size) for step in range(start_step, start_step + steps)]
        )
        wanted, reads, delivered = _plan_reads(order.draw(positions), groups)
        incoming = zip(delivered, read_rows(self.selection.dataset, reads, views=False, engine=self.engine), strict=True)
        waiting: dict[tuple[int, int], dict[str, Any]] = {}
        for name in wanted:
            while name not in waiting:
                other, row = next(incoming)
                waiting[other] = row
            yield waiting.pop(name)


def _plan_reads(draw: Draw, groups: list[RowGroup]) -> tuple[list[tuple[int, int]], list[GroupRead], list[tuple[int, int]]]:
    """Reads every row group once per epoch, when its first row is needed, and only the rows that are needed.

    Returns:
        Epoch and row number in the order of use, the reads, and epoch and row number in the order of the reads.
    """
    starts = np.cumsum([group.rows for group in groups]) - np.array([group.rows for group in groups])
    wanted = list(zip(draw.epochs.tolist(), draw.rows.tolist(), strict=True))
    members: dict[tuple[int, int], list[int]] = {}
    for (epoch, row), group in zip(wanted, (np.searchsorted(starts, draw.rows, side="right") - 1).tolist(), strict=True):
        members.setdefault((epoch, group), []).append(row)
    reads = [
        GroupRead(groups[group].path, groups[group].group, tuple(row - int(starts[group]) for row in rows))
        for (_, group), rows in members.items()
    ]
    return wanted, reads, [(epoch, row) for (epoch, _), rows in members.items() for row in rows]


def stream(
    selection: Selection,
    *,
    seed: int,
    start_step: int,
    steps: int,
    batch_size: int,
    resolution: int,
    rank: int = 0,
    world_size: int = 1,
    flip: bool = True,
) -> Iterator[Batch]:
    """Yields one worker's part of the training batches; see `Reader`, which has more to choose."""
    reader = Reader(selection, seed, batch_size, resolution, flip=flip, rank=rank, world_size=world_size)
    return reader.batches(start_step, steps)
