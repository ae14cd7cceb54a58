"""The training order: a function of dataset version, seed and position alone.

Rows are numbered through the row groups of a selection. An epoch puts the row groups in a random order, cuts the resulting
sequence of rows into equal lanes, shuffles windows within each lane, and takes one row from every lane in turn. A batch so
mixes distant row groups, while a worker that serves every W-th position reads only its own lanes (W divides the number of
lanes) and holds only their windows, which begin at different steps, so that reading is as even as use. Epochs follow one
another without a gap: every row comes exactly once per epoch, none is dropped, and a batch may hold the last rows of one epoch
and the first of the next.

After the deterministic order of MosaicML Streaming (mosaicml/streaming), with row groups in the place of its samples' blocks.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

LANES, WINDOW_ROWS = 64, 64
# Enough windows for a thousand million rows; equal chances within a window keep their places.
_WINDOW_BITS = 24


@dataclass(frozen=True)
class Draw:
    """Rows at consecutive positions of the order.

    Attributes:
        epochs: Epoch of each position.
        rows: Number of the row in the selection.
        flips: Whether the picture is mirrored.
    """

    epochs: NDArray[np.int64]
    rows: NDArray[np.int64]
    flips: NDArray[np.bool_]


@dataclass(frozen=True)
class TrainingOrder:
    """The endless sequence of rows.

    Attributes:
        groups: Rows of each row group of the selection.
        version: Dataset version; another version has another order.
        seed: Of the run.
        lanes: Most lanes; fewer while a lane would be shorter than a window.
        window_rows: Rows of a lane that are shuffled together.
    """

    groups: tuple[int, ...]
    version: str
    seed: int
    lanes: int = LANES
    window_rows: int = WINDOW_ROWS

    def __hash__(self) -> int:
        # Without the groups: there may be a hundred thousand, and every step asks for the hash.
        return hash((self.version, self.seed, len(self.groups), self.lanes, self.window_rows))

    @cached_property
    def rows(self) -> int:
        """Rows of an epoch."""
        return sum(self.groups)

    @property
    def used_lanes(self) -> int:
        """Lanes of this selection: a power of two below `lanes`, so that halving the workers halves their lanes."""
        lanes = self.lanes
        while lanes > 1 and self.rows < lanes * self.window_rows:
            lanes //= 2
        return lanes

    def draw(self, positions: NDArray[np.int64]) -> Draw:
        """Looks up any positions of the sequence.

        Args:
            positions: 0 or more; position p belongs to step p // batch size.
        """
        epochs, offsets = np.divmod(positions, self.rows)
        rows, flips = np.empty_like(positions), np.empty(len(positions), dtype=np.bool_)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            order, mirrored = _epoch(self, int(epoch))
            rows[chosen], flips[chosen] = order[offsets[chosen]], mirrored[offsets[chosen]]
        return Draw(epochs, rows, flips)

    def step(self, step: int, batch_size: int) -> Draw:
        """Returns the whole batch of one step."""
        return self.draw(np.arange(step * batch_size, (step + 1) * batch_size))


def rank_positions(step: int, batch_size: int, rank: int, world_size: int) -> NDArray[np.int64]:
    """Returns the positions that one worker takes of a step's batch: its rank, rank + world size and so on."""
    return np.arange(step * batch_size + rank, (step + 1) * batch_size, world_size)


# A resumed or parallel reader asks for one epoch and the next, rarely for more.
@lru_cache(maxsize=4)
def _epoch(order: TrainingOrder, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    words = _RandomWords(order.version, order.seed, epoch)
    sequence = _rows_of_groups(order.groups, np.argsort(words.draw(len(order.groups)), kind="stable"))
    lanes = order.used_lanes
    lengths = (order.rows - np.arange(lanes) + lanes - 1) // lanes
    starts = np.cumsum(lengths) - lengths
    sequence = sequence[_shuffled_windows(lengths, order.window_rows, words)]
    position = np.arange(order.rows)
    return sequence[starts[position % lanes] + position // lanes], (words.draw(order.rows) & np.uint64(1)).astype(np.bool_)


def _shuffled_windows(lengths: NDArray[np.int64], window_rows: int, words: "_RandomWords") -> NDArray[np.int64]:
    """Returns a permutation of the rows of all lanes, one lane after the other, that moves each row within its window only.

    The first window of each lane is shorter than that of the lane before: lanes that all began a window at the same step would
    ask for most of its row groups at once, and for few in between.
    """
    lanes, rows = len(lengths), int(lengths.sum())
    begins = np.zeros(rows, dtype=np.uint64)
    for lane, (start, length) in enumerate(zip(np.cumsum(lengths) - lengths, lengths, strict=True)):
        first = window_rows - lane * window_rows // lanes
        begins[start] = 1
        begins[start + first : start + length : window_rows] = 1
    # One number to sort by: the window above, chance below. A sort by two keys takes twenty times as long.
    chance = words.draw(rows) >> np.uint64(_WINDOW_BITS)
    return np.argsort((np.cumsum(begins) << np.uint64(64 - _WINDOW_BITS)) | chance, kind="stable")


def _rows_of_groups(groups: Sequence[int], permutation: NDArray[np.int64]) -> NDArray[np.int64]:
    sizes = np.asarray(groups, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    chosen = sizes[permutation]
    offset = np.arange(sizes.sum()) - np.repeat(np.cumsum(chosen) - chosen, chosen)
    rows: NDArray[np.int64] = np.repeat(starts[permutation], chosen) + offset
    return rows


class _RandomWords:
    """Random 64-bit words: the raw stream of a generator, which numpy promises to keep, unlike its permutations."""

    def __init__(self, version: str, seed: int, epoch: int) -> None:
        digest = hashlib.sha256(f"{version}/{seed}/{epoch}".encode()).digest()
        self._bits = np.random.PCG64(int.from_bytes(digest[:16], "big"))

    def draw(self, count: int) -> NDArray[np.uint64]:
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)
