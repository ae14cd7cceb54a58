"""Training the denoiser in the latents of a finished autoencoder."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.config import TrainingConfig
from g3dr.diffusion.assessment import assess_denoiser
from g3dr.diffusion.autoencoder import Autoencoder
from g3dr.diffusion.chance import normal
from g3dr.diffusion.config import NOISE_LEVELS, DenoiserConfig
from g3dr.diffusion.denoiser import Denoiser, noise_scheduler
from g3dr.diffusion.latent_diffusion import check_pair
from g3dr.errors import DataError
from g3dr.losses.targets import image_digests
from g3dr.training.chance import StepChance
from g3dr.training.learning import Advance, Assessment, Learner
from g3dr.types import Batch

_MEGABYTE = 2**20
_MEASURED_IMAGES = 1024


class LatentMemory:
    """The latents of pictures that were seen before.

    Args:
        autoencoder: Frozen.
        limit: Bytes that are kept; 0 encodes whole batches and keeps nothing.
    """

    def __init__(self, autoencoder: Autoencoder, limit: int) -> None:
        self._autoencoder, self._limit = autoencoder, limit
        self._known: dict[bytes, Tensor] = {}
        self._size = 0

    @torch.no_grad()
    def latents(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch latent latent_height latent_width"]:
        """Returns the most likely latents of pictures; each is encoded on its own, so that they do not depend on what is known."""
        if self._limit == 0:
            return self._autoencoder.encode(images)
        return torch.cat([self._latent(images[row : row + 1], digest) for row, digest in enumerate(image_digests(images))])

    def _latent(self, image: Tensor, digest: bytes) -> Tensor:
        known = self._known.get(digest)
        if known is None:
            known = self._autoencoder.encode(image).float()
            self._size += known.numel() * known.element_size()
            if self._size <= self._limit:
                self._known[digest] = known
        return known


class DenoiserLearner(Learner):
    """Squared error of what the denoiser says about noisy latents, at levels of noise drawn evenly.

    Args:
        config: The denoiser.
        training: Not looked at.
        autoencoder: A finished one; it is frozen.

    Raises:
        CheckpointError: The autoencoder is for pictures of another size.
    """

    network: Denoiser

    def __init__(
        self,
        config: DenoiserConfig,
        training: TrainingConfig | None = None,  # noqa: ARG002  (every learner gets it)
        *,
        autoencoder: Autoencoder,
    ) -> None:
        super().__init__()
        self.config = config
        self.network = Denoiser(config, autoencoder.config.latent_channels, autoencoder.config.latent_side)
        check_pair(self.network, autoencoder)
        self.autoencoder = autoencoder.eval().requires_grad_(requires_grad=False)
        self.average_decay = config.average_decay
        self._scheduler: Any = noise_scheduler(config)
        self._memory = LatentMemory(self.autoencoder, config.latent_memory * _MEGABYTE)

    def initialize(self, seed: int) -> None:
        """See `Learner`."""
        self.network.initialize(seed)

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Measures the latents of up to 1024 pictures, so that they can be brought to mean 0 and deviation 1.

        A network that was trained before keeps the figures that it was trained with.

        Raises:
            DataError: There are no pictures, or all latents are equal.
        """
        if self.network.latent_mean.any():
            return
        latents: list[Tensor] = []
        for batch in batches:
            latents.append(self._memory.latents(batch.images.to(self.network.latent_mean.device)))
            if sum(map(len, latents)) >= _MEASURED_IMAGES:
                break
        if not latents:
            raise DataError("the denoiser's training has no pictures to measure latents of")
        self.network.measure_latents(torch.cat(latents))
        if not self.network.latent_deviation > 0:
            raise DataError("the latents of all pictures are the same; was the autoencoder trained?")

    def forward(self, batch: Batch, chance: StepChance, step: int) -> dict[str, Tensor]:  # noqa: ARG002  (every step is alike)
        """Returns the mean squared error as `loss`."""
        latents = self.network.scaled(self._memory.latents(batch.images))
        levels = (chance.uniform() * NOISE_LEVELS).long()
        withheld = chance.uniform() < self.config.class_dropout
        noise = normal(chance, *latents.shape[1:])
        labels = self.network.labels(batch.species).masked_fill(withheld, self.network.no_class)
        return {"loss": self.errors(latents, noise, levels, labels).mean()}

    def errors(self, latents: Tensor, noise: Tensor, levels: Tensor, labels: Tensor) -> Float[Tensor, "batch"]:
        """Returns the mean squared error of each picture's latent, in scaled units."""
        noisy = self._scheduler.add_noise(latents, noise, levels)
        wanted = noise if self.config.prediction == "epsilon" else self._scheduler.get_velocity(latents, noise, levels)
        error: Tensor = (self.network(noisy, levels, labels) - wanted).square().mean(dim=(1, 2, 3))
        return error

    def assess(self, batches: Iterable[Batch], seed: int, advance: Advance) -> Assessment:
        """See `assess_denoiser`."""
        self.network.eval()
        return assess_denoiser(self, batches, seed, advance)
