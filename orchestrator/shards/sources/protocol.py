"""A source as the packer sees it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from g3dr.errors import DataError
from orchestrator.shards.rows import Row


class Item(Protocol):
    """One example to be: enough to plan the shards, without its pictures."""

    @property
    def key(self) -> str:
        """The row's key, unique in the dataset."""

    @property
    def species(self) -> str:
        """The row's species."""

    @property
    def split(self) -> str:
        """`train` or `test`."""

    @property
    def size(self) -> int:
        """About how many bytes it will have in the shard; 0 where nobody knows before it is read."""


class Source(Protocol):
    """A description of examples; travels to other processes by pickle.

    Whatever makes rows out of something is a source: a stage that adds to the rows of another dataset, too. Packing brings resume,
    quarantine and the manifest.
    """

    def description(self) -> Mapping[str, Any]:
        """Returns all that determines the examples, as JSON."""

    def items(self) -> Sequence[Item]:
        """Lists the examples.

        Raises:
            DataError: The source cannot be read at all.
        """

    def rows(self, items: Sequence[Any]) -> Iterator[Row | DataError]:
        """Makes or reads the examples of one shard, in order: a row for each, or why it cannot be used.

        Raises:
            G3drError: The source as a whole failed, which says nothing about an example; the shard will be tried again.
        """


AnyItem = TypeVar("AnyItem")


def one_by_one(load: Callable[[AnyItem], Row], items: Iterable[AnyItem]) -> Iterator[Row | DataError]:
    """Loads items one after the other; for sources that need no batches."""
    for item in items:
        try:
            yield load(item)
        except DataError as error:
            yield error
