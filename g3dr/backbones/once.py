"""A network that two losses ask about the same pictures, and that looks at them once."""

from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from g3dr.backbones.protocols import Backbones, Look, LookingBackbone


class LookingOnce:
    """Remembers what a network saw in pictures, for as long as this object lives: a step of a training.

    Args:
        network: Asked for embeddings and for feature maps.
        deepest: Of how many stages features are wanted, as in `StageBackbone.stage_features`.
    """

    def __init__(self, network: LookingBackbone, deepest: int | None) -> None:
        self._network, self._deepest = network, deepest
        self.name, self.sha256 = network.name, network.sha256
        self._seen: dict[object, tuple[Tensor, Look]] = {}

    def embed(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch feature"]:
        """As `EmbeddingBackbone.embed`."""
        return self._look(images).embedding

    def stage_features(
        self, images: Float[Tensor, "batch 3 height width"], deepest: int | None = None
    ) -> Sequence[Float[Tensor, "batch feature stage_height stage_width"]]:
        """As `StageBackbone.stage_features`; pictures are looked at anew for stages other than those named at the beginning."""
        return self._look(images).stages if deepest == self._deepest else self._network.stage_features(images, deepest)

    def _look(self, images: Tensor) -> Look:
        key = _place(images)
        if key not in self._seen:
            self._seen[key] = images, self._network.look(images, self._deepest)
        return self._seen[key][1]


def _place(images: Tensor) -> object:
    """Returns what two tensors share that are the same pictures in memory, with a gradient or without, as long as one of them lives."""
    return images.data_ptr(), images.shape, images.stride(), images.dtype, images.requires_grad


def looking_once(networks: Backbones, deepest: int | None) -> Backbones:
    """Returns networks for one step: where one stands behind embeddings and feature maps alike, it looks at each picture once.

    Args:
        networks: Those of the objective.
        deepest: Of how many stages features are wanted.
    """
    network: object = networks.semantic
    if network is not networks.perceptual or not isinstance(network, LookingBackbone):
        return networks
    once = LookingOnce(network, deepest)
    return replace(networks, semantic=once, perceptual=once)
