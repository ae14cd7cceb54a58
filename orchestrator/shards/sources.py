"""Where examples come from, as the packer sees it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import g3dr.procedural
from g3dr.examples import RgbdExample
from g3dr.procedural import ProceduralConfig, examples, make_example, species_name
from orchestrator.shards.folders import FolderSource

__all__ = ["FolderSource", "Item", "ProceduralSource", "Source"]


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


class Source(Protocol):
    """A description of examples; travels to other processes by pickle."""

    def description(self) -> Mapping[str, Any]:
        """Returns all that determines the examples, as JSON."""

    def items(self) -> Sequence[Item]:
        """Lists the examples.

        Raises:
            DataError: The source cannot be read at all.
        """

    def load(self, item: Any) -> RgbdExample:
        """Makes or reads one example.

        Raises:
            DataError: This one cannot be used.
        """


@dataclass(frozen=True)
class ProceduralItem:
    """One individual of a procedural species."""

    key: str
    species: str
    split: str
    example: Any


@dataclass(frozen=True)
class ProceduralSource:
    """Procedural species with true novel views, made while packing.

    Attributes:
        config: Species, individuals, resolution and seed.
    """

    config: ProceduralConfig

    def description(self) -> Mapping[str, Any]:
        """See `Source`; includes the generator's own code, because the pictures follow from it."""
        return {"kind": "procedural", "code": self._code, **asdict(self.config)}

    @cached_property
    def _code(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(Path(g3dr.procedural.__path__[0]).rglob("*.py")):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def items(self) -> Sequence[ProceduralItem]:
        """See `Source`."""
        found = []
        for example in examples(self.config):
            species = species_name(example.species, self.config.seed)
            found.append(ProceduralItem(f"{species}/{example.individual:04d}", species, example.split, example))
        return found

    def load(self, item: ProceduralItem) -> RgbdExample:
        """See `Source`."""
        return make_example(self.config, item.example)
