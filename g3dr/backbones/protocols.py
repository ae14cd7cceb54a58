"""What losses and metrics ask of a network. Every picture that goes in is RGB in [-1, 1], of any size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class EmbeddingBackbone(Protocol):
    """Turns a picture into one vector that says what is seen; differentiable.

    Attributes:
        name: The network's name in reports.
        sha256: Hash of the weights file.
    """

    name: str
    sha256: str

    def embed(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch feature"]:
        """Returns the embedding, not normalised."""
        ...


@runtime_checkable
class StageBackbone(Protocol):
    """Turns a picture into feature maps, shallow to deep; differentiable. Attributes as in `EmbeddingBackbone`."""

    name: str
    sha256: str

    def stage_features(
        self, images: Float[Tensor, "batch 3 height width"], deepest: int | None = None
    ) -> Sequence[Float[Tensor, "batch feature stage_height stage_width"]]:
        """Returns features of unit length at each position, times the square roots of the distance's weights.

        So the squared distance of two such maps, summed over channels and averaged over positions, is the stage's share
        of the perceptual distance.

        Args:
            images: The pictures.
            deepest: How many of the deepest stages to return; all if None.
        """
        ...


@dataclass(frozen=True)
class Look:
    """What one pass through a network says of a batch of pictures: as `embed` and as `stage_features`."""

    embedding: Float[Tensor, "batch feature"]
    stages: Sequence[Float[Tensor, "batch _feature _height _width"]]


@runtime_checkable
class LookingBackbone(EmbeddingBackbone, StageBackbone, Protocol):
    """A network whose embeddings and feature maps come from one pass."""

    def look(self, images: Float[Tensor, "batch 3 height width"], deepest: int | None = None) -> Look:
        """Returns both; arguments as in `stage_features`."""
        ...


@runtime_checkable
class TextBackbone(Protocol):
    """Turns texts into vectors. Attributes as in `EmbeddingBackbone`."""

    name: str
    sha256: str

    def embed_text(self, texts: Sequence[str]) -> Float[Tensor, "text feature"]:
        """Returns the embeddings, not normalised."""
        ...


@dataclass(frozen=True)
class Extraction:
    """What a feature extractor sees in a batch of pictures: pooled features and class probabilities."""

    features: Float[Tensor, "batch feature"]
    probabilities: Float[Tensor, "batch class"]


@runtime_checkable
class FeatureExtractor(Protocol):
    """The network behind Frechet distance, KID and inception score; no gradients. Attributes as in `EmbeddingBackbone`.

    Attributes:
        resize: How pictures are brought to the network's size, in words for the report.
    """

    name: str
    sha256: str
    resize: str

    def extract(self, images: Float[Tensor, "batch 3 height width"]) -> Extraction:
        """Looks at the pictures as they would be saved, rounded to 8 bits."""
        ...


@dataclass(frozen=True)
class Backbones:
    """The networks that an objective needs; None where the term has no weight."""

    semantic: EmbeddingBackbone | None = None
    perceptual: StageBackbone | None = None
    semantics: StageBackbone | None = None
