"""Entries in groups of equal size."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Whatever = TypeVar("Whatever")


def in_groups(entries: Iterable[Whatever], size: int) -> Iterator[list[Whatever]]:
    """Yields lists of `size` entries in their order; the last may be shorter."""
    remaining = iter(entries)
    while group := list(islice(remaining, size)):
        yield group
