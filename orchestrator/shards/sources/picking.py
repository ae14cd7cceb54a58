"""Which examples are held out, and which make a subset: by a hash of their keys, so that neither order nor additions matter much."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from orchestrator.shards.sources.protocol import Item

AnyItem = TypeVar("AnyItem", bound=Item)


def ranks(keys: Sequence[str], seed: int) -> list[int]:
    """Returns the numbers of keys in an order that depends on seed and keys alone."""
    return sorted(range(len(keys)), key=lambda number: hashlib.sha256(f"{seed}/{keys[number]}".encode()).digest())


def held_out(keys: Sequence[str], species: Sequence[str], fraction: float, seed: int) -> set[int]:
    """Chooses a fraction of every species for the test split, at least one of two or more, and never all unless `fraction` is 1.

    Args:
        keys: Key of each example.
        species: Its species.
        fraction: 0 to 1.
        seed: Another seed chooses others.

    Returns:
        The numbers of those that are held out.
    """
    chosen: set[int] = set()
    for members in _groups([(name,) for name in species]):
        count = round(fraction * len(members))
        if fraction > 0 and len(members) > 1:
            count = min(max(count, 1), len(members) - 1) if fraction < 1 else len(members)
        chosen |= {members[rank] for rank in ranks([keys[number] for number in members], seed)[:count]}
    return chosen


def subset(keys: Sequence[str], species: Sequence[str], splits: Sequence[str], size: float, seed: int) -> set[int]:
    """Chooses a part of every species and split.

    Args:
        keys: Key of each example.
        species: Its species.
        splits: Its split.
        size: A fraction below 1; or so many of every species, its splits in their proportion, at least one of each.
        seed: Another seed chooses others.

    Returns:
        The numbers of those that are kept.
    """
    totals: dict[str, int] = defaultdict(int)
    for name in species:
        totals[name] += 1
    chosen: set[int] = set()
    for members in _groups(list(zip(species, splits, strict=True))):
        share = size if size < 1 else min(1.0, size / totals[species[members[0]]])
        count = max(1, round(share * len(members)))
        chosen |= {members[rank] for rank in ranks([keys[number] for number in members], seed)[:count]}
    return chosen


def kept_items(items: Sequence[AnyItem], size: float | None, seed: int) -> list[AnyItem]:
    """Returns the items of a `subset`, all if `size` is None."""
    if size is None:
        return list(items)
    kept = subset([item.key for item in items], [item.species for item in items], [item.split for item in items], size, seed)
    return [item for number, item in enumerate(items) if number in kept]


def _groups(names: Sequence[tuple[str, ...]]) -> list[list[int]]:
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, name in enumerate(names):
        groups[name].append(number)
    return list(groups.values())
