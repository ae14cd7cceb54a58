"""The procedural generator as a source."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import g3dr.procedural
from g3dr.errors import DataError
from g3dr.procedural import ProceduralConfig, examples, make_example, species_name
from orchestrator.shards.preparing import Preparation, prepared
from orchestrator.shards.rows import Row
from orchestrator.shards.sources.protocol import one_by_one


@dataclass(frozen=True)
class ProceduralItem:
    """One individual of a procedural species."""

    key: str
    species: str
    split: str
    example: Any
    size: int = 0


@dataclass(frozen=True)
class ProceduralSource:
    """Procedural species with true novel views, made while packing.

    Attributes:
        config: Species, individuals, resolution and seed.
        preparation: What is done to the pictures; without depth they serve to try a depth estimator.
    """

    config: ProceduralConfig
    preparation: Preparation = field(default_factory=Preparation)

    def description(self) -> Mapping[str, Any]:
        """See `Source`; includes the generator's own code, because the pictures follow from it."""
        changed = self.preparation.description()
        return {"kind": "procedural", "code": self._code, **asdict(self.config), **({"preparation": changed} if changed else {})}

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

    def rows(self, items: Sequence[ProceduralItem]) -> Iterator[Row | DataError]:
        """See `Source`."""
        return one_by_one(lambda item: prepared(make_example(self.config, item.example), self.preparation), items)
