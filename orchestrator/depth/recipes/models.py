"""Depth models of the transformers library. What brings torch is imported late: the command starts without it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from g3dr.depth import DepthEstimator
from g3dr.depth.model_kinds import Kind
from g3dr.errors import ConfigError, WeightsMissingError
from orchestrator.depth.recipes.protocol import Wishes, estimator_with, identity_with, refuse_others
from orchestrator.shards.manifest import Manifest


@dataclass(frozen=True)
class ModelRecipe:
    """A depth model of the transformers library.

    Attributes:
        weights: Folder, URI or hub name.
        revision: Of a hub name.
        kind: See `Wishes`.
        device: See `Wishes`.
        known: Identity that the weights had where the recipe was prepared.
        boost: See `Wishes`.
    """

    uses_gpu: ClassVar[bool] = True
    needs_dataset: ClassVar[bool] = False

    weights: str
    revision: str | None
    kind: Kind | None
    device: str
    known: Mapping[str, Any]
    boost: bool = False

    @classmethod
    def prepare(cls, wishes: Wishes, dataset: Manifest | None) -> Self:  # noqa: ARG003 (any dataset will do)
        """See `Recipe`."""
        if not wishes.weights:
            raise ConfigError(
                "--weights", None, "the folder, s3:// URI or hub name of a depth model, which the estimator transformers needs"
            )
        refuse_others(wishes, {"weights", "revision", "kind", "boost"}, "transformers")
        from g3dr.depth.model_folder import read_model  # noqa: PLC0415

        weights = wishes.weights if "://" in wishes.weights else _absolute_if_there(wishes.weights)
        unknown = cls(weights, wishes.revision, wishes.kind, wishes.device, {})
        known = read_model(unknown.folder(), wishes.kind).identity()
        return cls(weights, wishes.revision, wishes.kind, wishes.device, known, wishes.boost)

    def identity(self) -> Mapping[str, Any]:
        """See `Recipe`."""
        return identity_with(self.boost, self.known)

    def build(self, gpus: float | None) -> DepthEstimator:
        """See `Recipe`."""
        from g3dr.depth.model_folder import read_model  # noqa: PLC0415
        from g3dr.depth.models import ModelEstimator  # noqa: PLC0415
        from g3dr.training.devices import choose_device  # noqa: PLC0415

        model = read_model(self.folder(), self.kind)
        if model.identity() != self.known:
            raise WeightsMissingError(
                f"{self.weights}: other weights here than where the command was started ({model.identity()}, {self.known})"
            )
        estimator = ModelEstimator(model, choose_device(self.device, gpus))  # type: ignore[arg-type]  # checked by the command
        return estimator_with(self.boost, estimator)

    def folder(self) -> Path:
        """Returns the folder of the weights on this machine, fetching it first if need be."""
        from g3dr.depth.model_folder import DEPTH_MODEL, model_folder  # noqa: PLC0415
        from orchestrator.computing.model_folders import fetched_folder  # noqa: PLC0415

        if "://" in self.weights:
            return fetched_folder(self.weights, DEPTH_MODEL, str(self.known.get("weights", "")))
        return model_folder(self.weights, self.revision)


def _absolute_if_there(name: str) -> str:
    """Returns a folder's whole path, since other processes run elsewhere; a hub name stays."""
    folder = Path(name).expanduser()
    return str(folder.absolute()) if folder.is_dir() else name
