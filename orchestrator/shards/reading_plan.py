"""What to read, and when: computed piece by piece where it is needed, never for a whole training at once.

A plan is divided into pieces, and each lists its reads by itself from the plan alone. So a piece can be read in any process,
and a training of a million steps is planned as fast as one of ten.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.shards.order import TrainingOrder
from orchestrator.shards.selection import RowGroup, RowGroups

_PIECE_ROWS = 4096
_MOST_PIECES = 1024


class Read(NamedTuple):
    """One row group and which of its rows are wanted.

    Attributes:
        row_group: What to read.
        offsets: Rows within the row group, rising.
        turns: When each of these rows is used: 0 for the first row that the reader yields.
        flips: Whether each picture is mirrored.
    """

    row_group: RowGroup
    offsets: NDArray[np.int64]
    turns: NDArray[np.int64]
    flips: NDArray[np.bool_]


class ReadingPlan(Protocol):
    """Reads in the order in which they are needed; travels to other processes by pickle."""

    @property
    def groups(self) -> RowGroups:
        """The row groups that are read from."""

    @property
    def rows(self) -> int:
        """Rows that are yielded in all."""

    @property
    def pieces(self) -> int:
        """Number of pieces."""

    def reads(self, piece: int) -> Iterator[Read]:
        """Lists the reads of a piece."""


@dataclass(frozen=True)
class WholePlan:
    """All rows of the row groups, once, in their order.

    Attributes:
        groups: What to read.
    """

    groups: RowGroups

    @property
    def rows(self) -> int:
        """See `ReadingPlan`."""
        return sum(self.groups.sizes)

    @property
    def pieces(self) -> int:
        """See `ReadingPlan`."""
        return min(-(-self.rows // _PIECE_ROWS), _MOST_PIECES, len(self.groups))

    def reads(self, piece: int) -> Iterator[Read]:
        """See `ReadingPlan`."""
        first, end = (len(self.groups) * number // self.pieces for number in (piece, piece + 1))
        turn = sum(self.groups.sizes[:first])
        for group in self.groups[first:end]:
            yield Read(group, np.arange(group.rows), np.arange(turn, turn + group.rows), np.zeros(group.rows, dtype=np.bool_))
            turn += group.rows


@dataclass(frozen=True)
class TrainingPlan:
    """One worker's share of some steps of a training.

    The worker takes the positions rank, rank + world_size and so on of the order. Within an epoch every row group is read once,
    before the first of its rows is used, and only if one of them is used.

    Attributes:
        groups: Row groups of the selection.
        order: The training order over them.
        batch_size: Rows of a step over all workers; a multiple of `world_size`.
        rank: This worker.
        world_size: Number of workers.
        start_step: The first step.
        steps: How many.
    """

    groups: RowGroups
    order: TrainingOrder
    batch_size: int
    rank: int
    world_size: int
    start_step: int
    steps: int

    @property
    def rows(self) -> int:
        """See `ReadingPlan`."""
        return self.steps * self.batch_size // self.world_size

    @property
    def _first_position(self) -> int:
        return self.start_step * self.batch_size + self.rank

    @property
    def _first_epoch(self) -> int:
        return self._first_position // self.order.rows

    @property
    def _parts(self) -> int:
        """Parts of each epoch."""
        return -(-self.order.rows // (self.world_size * _PIECE_ROWS))

    @property
    def _all_parts(self) -> int:
        if not self.rows:
            return 0
        last = self._first_position + (self.rows - 1) * self.world_size
        return (last // self.order.rows - self._first_epoch + 1) * self._parts

    @property
    def pieces(self) -> int:
        """See `ReadingPlan`; a piece is a part of an epoch, or some small epochs."""
        return min(self._all_parts, -(-self.rows // _PIECE_ROWS), _MOST_PIECES)

    def reads(self, piece: int) -> Iterator[Read]:
        """See `ReadingPlan`."""
        first, end = (self._all_parts * number // self.pieces for number in (piece, piece + 1))
        for number in range(first, end):
            epoch, part = divmod(number, self._parts)
            yield from self._epoch(self._first_epoch + epoch).part(self.groups, part, self._parts)

    def _epoch(self, epoch: int) -> "EpochReads":
        """Returns the reads of the rows that these steps use of an epoch."""
        rows, world = self.order.rows, self.world_size
        first = max(0, -((self._first_position - epoch * rows) // world))
        end = min(self.rows, -((self._first_position - (epoch + 1) * rows) // world))
        return _epoch_reads(self.order, first, end, self._first_position + first * world, world)


@dataclass(frozen=True)
class EpochReads:
    """The reads of an epoch, as arrays: at a million rows, objects would take a gigabyte.

    Attributes:
        groups: Numbers of the row groups, in the order in which they are first needed.
        bounds: Read i has the rows bounds[i] to bounds[i + 1].
        offsets: See `Read`.
        turns: See `Read`.
        flips: See `Read`.
    """

    groups: NDArray[np.int64]
    bounds: NDArray[np.int64]
    offsets: NDArray[np.int64]
    turns: NDArray[np.int64]
    flips: NDArray[np.bool_]

    def part(self, groups: RowGroups, part: int, parts: int) -> Iterator[Read]:
        """Lists the reads of one of some equal parts."""
        for read in range(len(self.groups) * part // parts, len(self.groups) * (part + 1) // parts):
            members = slice(int(self.bounds[read]), int(self.bounds[read + 1]))
            yield Read(groups[int(self.groups[read])], self.offsets[members], self.turns[members], self.flips[members])


# A piece may hold the end of one epoch and the beginning of the next.
@lru_cache(maxsize=2)
def _epoch_reads(order: TrainingOrder, first_turn: int, end_turn: int, position: int, stride: int) -> EpochReads:
    draw = order.draw(np.arange(position, position + (end_turn - first_turn) * stride, stride))
    starts = np.cumsum(order.groups) - np.asarray(order.groups)
    by_row = np.argsort(draw.rows, kind="stable")
    rows = draw.rows[by_row]
    group = np.searchsorted(starts, rows, side="right") - 1
    begins = np.flatnonzero(np.diff(group, prepend=-1))
    bounds = np.append(begins, len(rows))
    # A row's place in the sorted sequence, and the first use of any row of its row group.
    by_use = np.argsort(np.minimum.reduceat(by_row, begins), kind="stable")
    members = np.repeat(bounds[by_use] - np.cumsum(np.append(0, np.diff(bounds)[by_use]))[:-1], np.diff(bounds)[by_use])
    members += np.arange(len(rows))
    chosen = by_row[members]
    return EpochReads(
        groups=group[begins][by_use],
        bounds=np.append(0, np.cumsum(np.diff(bounds)[by_use])),
        offsets=(rows - starts[group])[members],
        turns=chosen + first_turn,
        flips=draw.flips[chosen],
    )
