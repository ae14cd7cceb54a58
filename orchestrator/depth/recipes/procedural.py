"""The truth of a dataset that was drawn by the procedural generator."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from g3dr.depth import DepthEstimator, ProceduralEstimator
from g3dr.errors import DataError
from g3dr.procedural import ProceduralConfig
from orchestrator.depth.recipes.protocol import Wishes, refuse_others
from orchestrator.shards.manifest import Manifest
from orchestrator.shards.sources import ProceduralSource


@dataclass(frozen=True)
class ProceduralRecipe:
    """The exact depth of a dataset of procedural animals.

    Attributes:
        config: What the dataset was drawn from.
        code: The version of the generator that drew it.
    """

    uses_gpu: ClassVar[bool] = False
    needs_dataset: ClassVar[bool] = True

    config: ProceduralConfig
    code: str

    @classmethod
    def prepare(cls, wishes: Wishes, dataset: Manifest | None) -> Self:
        """See `Recipe`."""
        refuse_others(wishes, set(), "procedural")
        record: Mapping[str, Any] = {} if dataset is None else dataset.source
        while record.get("kind") == "depth":  # which changes neither keys nor pictures
            record = record["of"]
        if record.get("kind") != "procedural":
            raise DataError(
                f"the estimator procedural needs a dataset packed from the procedural generator, not from {record.get('kind')!r}"
            )
        values = {field.name: record[field.name] for field in fields(ProceduralConfig)}
        config = ProceduralConfig(**{**values, "species": tuple(values["species"])})
        here = str(ProceduralSource(config).description()["code"])
        if here != record["code"]:
            raise DataError(f"the dataset was drawn by another version of the generator ({record['code']}, here is {here}); pack it again")
        return cls(config, here)

    def identity(self) -> Mapping[str, Any]:
        """See `Recipe`."""
        return {"name": "procedural", "code": self.code, "config": asdict(self.config)}

    def build(self, gpus: float | None) -> DepthEstimator:  # noqa: ARG002 (numpy needs none)
        """See `Recipe`."""
        return ProceduralEstimator(self.config, self.code)
