"""Which rows of a data set an evaluation looks at; only these are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from orchestrator.shards.decoding import DecodedRows, decode_rows
from orchestrator.shards.reading import read_rows
from orchestrator.shards.reading_plan import Read
from orchestrator.shards.selection import RowGroups, Selection


def spread(species: Sequence[str], count: int) -> list[int]:
    """Returns up to `count` row numbers, taking species in turn, so that a part of the rows has all of them."""
    seen: dict[str, int] = {}
    order = []
    for index, name in enumerate(species):
        order.append((seen.get(name, 0), name, index))
        seen[name] = seen.get(name, 0) + 1
    return [index for _, _, index in sorted(order)[:count]]


@dataclass(frozen=True)
class ChosenPlan:
    """A `ReadingPlan` of single rows, in the order in which they are named.

    Attributes:
        groups: Row groups of the selection.
        chosen: Numbers of the rows, each once, counted through all row groups.
    """

    groups: RowGroups
    chosen: tuple[int, ...]

    @property
    def rows(self) -> int:
        """See `ReadingPlan`."""
        return len(self.chosen)

    @property
    def pieces(self) -> int:
        """See `ReadingPlan`."""
        return min(1, self.rows)

    def reads(self, piece: int) -> Iterator[Read]:  # noqa: ARG002  (there is one)
        """See `ReadingPlan`; each row group once, and only those with a wanted row."""
        turns = np.argsort(np.asarray(self.chosen, dtype=np.int64), kind="stable")
        rows = np.asarray(self.chosen, dtype=np.int64)[turns]
        starts = np.cumsum((0, *self.groups.sizes[:-1]))
        group = np.searchsorted(starts, rows, side="right") - 1
        for number in np.unique(group):
            wanted = group == number
            yield Read(self.groups[int(number)], rows[wanted] - starts[number], turns[wanted], np.zeros(int(wanted.sum()), dtype=np.bool_))


@dataclass(frozen=True)
class Choice:
    """The rows that an evaluation of so many images takes, known from the manifest alone.

    Attributes:
        selection: Of which rows.
        images: How many at most.
    """

    selection: Selection
    images: int

    @cached_property
    def _groups(self) -> RowGroups:
        return RowGroups(tuple(self.selection.shards()))

    @cached_property
    def _numbers(self) -> list[int]:
        return spread(self._species_of_rows, self.images)

    @cached_property
    def _species_of_rows(self) -> list[str]:
        return [shard.species for shard in self._groups.shards for _ in range(shard.rows)]

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def species(self) -> tuple[str, ...]:
        """Species of the rows, in their order."""
        return tuple(self._species_of_rows[number] for number in self._numbers)

    def load(self, resolution: int, part: range | None = None, *, views: bool = True) -> DecodedRows:
        """Reads and decodes the rows, in their order.

        Args:
            resolution: Side of the pictures, pixels.
            part: Only these of them; None for all.
            views: Read the novel views too; they stay encoded.

        Raises:
            DataError: The data set is missing, has changed, has no depth maps or is damaged.
        """
        numbers = self._numbers if part is None else self._numbers[part.start : part.stop]
        plan = ChosenPlan(self._groups, tuple(numbers))
        return decode_rows(list(read_rows(self.selection.dataset, plan, views=views, engine="pyarrow")), resolution)
