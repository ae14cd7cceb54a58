"""What an experiment file may say about its data, and the base of all its mappings."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from g3dr.procedural import ProceduralConfig
from orchestrator.experiment.checks import translated
from orchestrator.experiment.folder_config import FolderConfig
from orchestrator.experiment.problems import problem
from orchestrator.experiment.sections import Section


class Strict(BaseModel):
    """A mapping in which unknown keys are refused, with a guess at what was meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="wrap")
    @classmethod
    def _translated(cls, value: Any, handler: Any, info: ValidationInfo) -> Self:
        names = [field.alias or name for name, field in cls.model_fields.items()]
        checked: Self = translated(cls, value, handler, names, info.context)
        return checked


class DataSpec(Strict):
    """One data set; exactly one of the three."""

    procedural: Annotated[ProceduralConfig, Section()] | None = Field(
        None, description="Made on the spot, with true depth and true novel views."
    )
    folder: Annotated[FolderConfig, Section()] | None = Field(
        None, description="A folder of photographs with depth maps; packed when it is first needed."
    )
    dataset: str | None = Field(None, description="URI of a data set that was packed before: a folder or s3://bucket/prefix.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise problem(given or None, f"exactly one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def has_novel_views(self) -> bool | None:
        """Whether it holds true novel views; None where only the packed data set can tell."""
        if self.procedural is not None:
            return self.procedural.views > 0
        return False if self.folder is not None else None
