"""What a recipe is: how to make an estimator in whichever process needs one, and what it will be before it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, Self

from g3dr.depth import DepthEstimator
from g3dr.depth.model_kinds import Kind
from g3dr.errors import ConfigError
from orchestrator.shards.manifest import Manifest


@dataclass(frozen=True)
class Wishes:
    """What somebody says about the estimator.

    Attributes:
        weights: Of a model: a folder, `s3://bucket/prefix`, or a hub name.
        revision: Of a hub name: commit, tag or branch.
        kind: What a model's maps mean, where its files do not say.
        depth_root: Of depth files: their folder or `s3://bucket/prefix`.
        depth_suffix: Of depth files: what follows the key.
        device: `auto`, `cpu`, `cuda` or `mps`.
        boost: Merge estimates of several sizes, see `g3dr.depth.boosting`.
        results: Where own trainings lie that `weights` may name: a folder or `s3://bucket/prefix`.
    """

    weights: str | None = None
    revision: str | None = None
    kind: Kind | None = None
    depth_root: str | None = None
    depth_suffix: str = "_depth.png"
    device: str = "auto"
    boost: bool = False
    results: str = "results"


class Recipe(Protocol):
    """Makes an estimator; pickles."""

    uses_gpu: ClassVar[bool]
    """Whether a GPU makes it faster."""
    needs_dataset: ClassVar[bool]
    """Whether it knows pictures by their dataset only."""

    @classmethod
    def prepare(cls, wishes: Wishes, dataset: Manifest | None) -> Self:
        """Checks all that can be checked before any work is done.

        Args:
            wishes: What somebody says about it.
            dataset: Whose pictures it will see; never None where `needs_dataset`.

        Raises:
            G3drError: Something is missing or wrong; one sentence.
        """

    def identity(self) -> Mapping[str, Any]:
        """Returns the identity of the estimator, see `DepthEstimator`."""

    def build(self, gpus: float | None) -> DepthEstimator:
        """Makes the estimator, with its weights in memory.

        Args:
            gpus: How many GPUs this process may use; None for all there are.

        Raises:
            G3drError: Something is missing here, or other than it was where the recipe was prepared.
        """


def refuse_others(wishes: Wishes, own: set[str], name: str) -> None:
    """Refuses what an estimator would pass over in silence.

    Args:
        wishes: What somebody says.
        own: The fields that the estimator reads.
        name: Its name.

    Raises:
        ConfigError: Another field is set.
    """
    for field in fields(Wishes):
        value = getattr(wishes, field.name)
        if value != field.default and field.name not in {*own, "device", "results"}:
            raise ConfigError(f"--{field.name.replace('_', '-')}", value, f"nothing: the estimator {name} has no such option")


def identity_with(boost: bool, identity: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: FBT001 (a wish)
    """Returns the identity of an estimator, boosted if that is wished."""
    from g3dr.depth.boosting import BoostOptions, boosted_identity  # noqa: PLC0415  (brings scipy)

    return boosted_identity(identity, BoostOptions()) if boost else identity


def estimator_with(boost: bool, estimator: DepthEstimator) -> DepthEstimator:  # noqa: FBT001 (a wish)
    """Returns an estimator, boosted if that is wished."""
    from g3dr.depth.boosting import BoostedEstimator  # noqa: PLC0415

    return BoostedEstimator(estimator) if boost else estimator
