"""What was measured of some of an evaluation's objects; merges to the whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from g3dr.metrics import FeatureStatistics, Mean
from orchestrator.computing.evaluation.objects import Measured


@dataclass(frozen=True)
class Part:
    """Some objects in the order in which they were chosen.

    Attributes:
        objects: What was measured of each.
        features: Of one novel view of each.
        rendering_seconds: What encoding and rendering took, summed over the threads that did it.
        seconds: What everything took, likewise.
    """

    objects: tuple[Measured, ...] = ()
    features: FeatureStatistics = field(default_factory=FeatureStatistics.empty)
    rendering_seconds: float = 0.0
    seconds: float = 0.0

    def merge(self, other: "Part") -> "Part":
        """Returns this part and the one that follows as one."""
        return Part(
            self.objects + other.objects,
            self.features.merge(other.features),
            self.rendering_seconds + other.rendering_seconds,
            self.seconds + other.seconds,
        )

    @classmethod
    def whole(cls, parts: Iterable["Part"]) -> "Part":
        """Merges parts in their order."""
        return reduce(cls.merge, parts, cls())

    @property
    def species(self) -> tuple[str, ...]:
        """Species of the objects."""
        return tuple(item.species for item in self.objects)

    @property
    def views(self) -> int:
        """Other views of each object."""
        return max((item.views for item in self.objects), default=0)

    @property
    def columns(self) -> dict[str, list[Any]]:
        """Every metric of every object, None where it does not apply; beside keys and species."""
        names = sorted({name for item in self.objects for name in item.values})
        columns: dict[str, list[Any]] = {name: [item.values.get(name) for item in self.objects] for name in names}
        return {"key": [item.key for item in self.objects], "species": list(self.species), **columns}

    @property
    def by_species(self) -> Mapping[str, Sequence[Measured]]:
        """The objects of each species, sorted by its name."""
        return {name: [item for item in self.objects if item.species == name] for name in sorted(set(self.species))}


def averages(objects: Iterable[Measured]) -> dict[str, float]:
    """Returns the mean of every metric over the objects that have it."""
    columns: dict[str, list[float]] = {}
    for item in objects:
        for name, value in item.values.items():
            columns.setdefault(name, []).append(value)
    means = {name: Mean.of(_tensor(column)).value for name, column in columns.items()}
    return {name: value for name, value in means.items() if value is not None}


def _tensor(column: Sequence[float]) -> Tensor:
    return torch.tensor(column, dtype=torch.float64)
