"""Batches in training order: from memory where the data fit, as one long stream where they do not.

Both give the same batches, whatever the number of workers and wherever a run is resumed.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from g3dr.errors import DataError
from g3dr.types import Batch
from orchestrator.grouping import in_groups
from orchestrator.shards.decoding import decode_batch
from orchestrator.shards.loading import load_rows
from orchestrator.shards.order import TrainingOrder, rank_positions
from orchestrator.shards.reading import Engine, read_rows
from orchestrator.shards.reading_plan import TrainingPlan
from orchestrator.shards.selection import RowGroups, Selection

_BYTES_PER_PIXEL = 3 + 4
_DEFAULT_MEMORY = 2 * 2**30
_DECODING_THREADS = 2
_BATCHES_AHEAD = 4


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
            DataError: The dataset is missing, has changed, has no depth maps or is damaged.
        """
        plan = self.plan(start_step, steps)
        return self._from_memory(plan) if self._fits(plan.order.rows) else self._from_stream(plan)

    def plan(self, start_step: int, steps: int) -> TrainingPlan:
        """Plans the reads of `steps` steps; see `batches`."""
        manifest = self.selection.manifest()
        groups = RowGroups(tuple(self.selection.shards_of(manifest)))
        order = TrainingOrder(groups.sizes, manifest.version, self.seed)
        return TrainingPlan(groups, order, self.batch_size, self.rank, self.world_size, start_step, steps)

    def _fits(self, rows: int) -> bool:
        return self.source == "memory" or (self.source == "auto" and rows * self.resolution**2 * _BYTES_PER_PIXEL <= self.memory_bytes)

    def _from_memory(self, plan: TrainingPlan) -> Iterator[Batch]:
        rows = load_rows(self.selection, self.resolution, views=False, engine=self.engine)
        for step in range(plan.start_step, plan.start_step + plan.steps):
            draw = plan.order.draw(rank_positions(step, self.batch_size, self.rank, self.world_size))
            yield rows.batch(draw.rows, draw.flips if self.flip else None)

    def _from_stream(self, plan: TrainingPlan) -> Iterator[Batch]:
        rows = read_rows(self.selection.dataset, plan, views=False, engine=self.engine)
        with ThreadPoolExecutor(_DECODING_THREADS) as pool:
            ahead: deque[Future[Batch]] = deque()
            for encoded in in_groups(rows, self.batch_size // self.world_size):
                ahead.append(pool.submit(decode_batch, encoded, self.resolution, flip=self.flip))
                if len(ahead) > _BATCHES_AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


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
