"""What a network of the front end must be to be trained as G3DR itself is: resumable to the bit, on any number of workers.

Monocular depth, the autoencoder and the denoiser of latent diffusion and the upscaler each bring one `Learner`. Who feeds the
batches, and where checkpoints go, is the caller's business.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor, nn

from g3dr.training.chance import StepChance
from g3dr.types import Batch

Advance = Callable[[int], None]
"""Called with the images that are measured so far."""


@dataclass(frozen=True)
class Assessment:
    """What was measured of a network on held-out images.

    Attributes:
        metrics: Figures by telling names; who measures says in which unit.
        per_image: Where a figure is a mean over images: one value for each image, in the order of `keys`.
        keys: The images' keys in their dataset.
        species: The images' species.
        pictures: Contact sheets by caption.
        extractor: Name of the network whose features distances compare; empty where there are none.
        extractor_sha256: Of its weights.
    """

    metrics: Mapping[str, float]
    per_image: Mapping[str, Sequence[float]] = field(default_factory=dict)
    keys: Sequence[str] = ()
    species: Sequence[str] = ()
    pictures: Mapping[str, UInt8[np.ndarray, "_height _width 3"]] = field(default_factory=dict)
    extractor: str = ""
    extractor_sha256: str = ""


class Learner(nn.Module, ABC):
    """A network together with its loss.

    Attributes:
        network: What is trained, kept in checkpoints and loaded to be used. Parameters that need no gradient are not optimised.
        config: The frozen dataclass that decides the network's shape; checkpoints record it.
        average_decay: Decay of the exponential moving average of the weights, which is what checkpoints give to users; 0 for none.
    """

    network: nn.Module
    config: Any
    average_decay: float = 0.0

    @abstractmethod
    def initialize(self, seed: int) -> None:
        """Gives the network the weights that a new training starts from; pretrained parts come from their files.

        Raises:
            WeightsMissingError: A pretrained part is nowhere.
        """

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Looks at some training images once before the first step, the same ones on every worker.

        Args:
            batches: The first batches of the training, whole; as many as are asked for.
        """

    @abstractmethod
    def forward(self, batch: Batch, chance: StepChance, step: int) -> dict[str, Tensor]:
        """Returns the terms of one step, `loss` among them, each a mean over the images given.

        Args:
            batch: This worker's part of the step's batch, or a part of it.
            chance: Where all randomness comes from; it belongs to the images, however they are shared out.
            step: The step, from 0.
        """

    @abstractmethod
    def assess(self, batches: Iterable[Batch], seed: int, advance: Advance) -> Assessment:
        """Measures the network on held-out images; called in evaluation mode, where no gradients are kept.

        Args:
            batches: The images.
            seed: Of whatever is drawn.
            advance: Told how far it is.
        """
