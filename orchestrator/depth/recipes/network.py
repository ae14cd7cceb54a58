"""The small depth network: the one that is shipped with this program, or one of your own training."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from g3dr.depth import DepthEstimator
from g3dr.errors import WeightsMissingError
from g3dr.training.layout import INDEX, MODEL
from orchestrator.depth.recipes.protocol import Wishes, estimator_with, identity_with, refuse_others
from orchestrator.shards.manifest import Manifest
from orchestrator.store import open_store

if TYPE_CHECKING:
    import torch

    from g3dr.depth.trained import NetworkEstimator


@dataclass(frozen=True)
class NetworkRecipe:
    """The small depth network of this project.

    Attributes:
        checkpoint: URI of the checkpoint of a training; None for the one that is shipped.
        device: See `Wishes`.
        boost: See `Wishes`.
        known: Identity that the weights had where the recipe was prepared.
    """

    uses_gpu: ClassVar[bool] = True
    needs_dataset: ClassVar[bool] = False

    checkpoint: str | None
    device: str
    boost: bool
    known: Mapping[str, Any]

    @classmethod
    def prepare(cls, wishes: Wishes, dataset: Manifest | None) -> Self:  # noqa: ARG003 (any pictures will do)
        """See `Recipe`."""
        refuse_others(wishes, {"weights", "boost"}, "network")
        unknown = cls(_checkpoint_named(wishes) if wishes.weights else None, wishes.device, wishes.boost, {})
        return replace(unknown, known=unknown.loaded("cpu").identity())

    def identity(self) -> Mapping[str, Any]:
        """See `Recipe`."""
        return identity_with(self.boost, self.known)

    def build(self, gpus: float | None) -> DepthEstimator:
        """See `Recipe`."""
        from g3dr.training.devices import choose_device  # noqa: PLC0415

        estimator = self.loaded(choose_device(self.device, gpus))  # type: ignore[arg-type]  # checked by the command
        if estimator.identity() != self.known:
            where = self.checkpoint or "the depth network of this program"
            raise WeightsMissingError(f"{where}: other weights here than where the command was started")
        return estimator_with(self.boost, estimator)

    def loaded(self, device: "torch.device | str") -> "NetworkEstimator":
        """Returns the estimator with its weights in memory.

        Raises:
            CheckpointError: They are damaged, or those of another kind of network.
        """
        from g3dr.depth.trained import NetworkEstimator  # noqa: PLC0415  (brings torch)

        if self.checkpoint is None:
            return NetworkEstimator.shipped(device)
        store = open_store(self.checkpoint)
        return NetworkEstimator.from_files({name: store.read_bytes(name) for name in (INDEX, MODEL)}, self.checkpoint, device)


def _checkpoint_named(wishes: Wishes) -> str:
    from orchestrator.checkpoints import find  # noqa: PLC0415  (brings the ledger)

    store, path = find(str(wishes.weights), open_store(wishes.results))
    return store.child(path).uri if path else store.uri
