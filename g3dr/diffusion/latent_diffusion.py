"""Our own two networks as a maker of pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.backbones.pictures import as_bytes
from g3dr.diffusion.autoencoder import Autoencoder
from g3dr.diffusion.config import SamplingSettings
from g3dr.diffusion.denoiser import Denoiser
from g3dr.diffusion.generator import Advance, Condition, Pictures, Wish, check_class
from g3dr.diffusion.sampling import sample_latents
from g3dr.errors import CheckpointError, ConfigError


class LatentDiffusion:
    """A denoiser with the autoencoder in whose latents it works.

    Args:
        denoiser: In evaluation mode.
        autoencoder: Likewise, on the same device.
        about: What identifies their weights, as JSON.

    Raises:
        CheckpointError: The two do not belong together.
    """

    def __init__(self, denoiser: Denoiser, autoencoder: Autoencoder, about: Mapping[str, Any] | None = None) -> None:
        check_pair(denoiser, autoencoder)
        self.denoiser, self.autoencoder, self._about = denoiser, autoencoder, dict(about or {})

    @property
    def condition(self) -> Condition:
        """See `PictureGenerator`."""
        return "class" if self.classes else "none"

    @property
    def classes(self) -> Sequence[str]:
        """See `PictureGenerator`."""
        return self.denoiser.config.classes

    @property
    def side(self) -> int:
        """See `PictureGenerator`."""
        return self.autoencoder.config.resolution

    def identity(self) -> Mapping[str, Any]:
        """See `PictureGenerator`."""
        return {"name": "latent diffusion", **self._about}

    def generate(self, wish: Wish, seeds: Sequence[int], settings: SamplingSettings, advance: Advance) -> Pictures:
        """See `PictureGenerator`."""
        self._check(wish)
        steps = settings.steps or self.denoiser.config.sampling_steps
        done, made = 0, []
        for first in range(0, len(seeds), settings.at_once):
            part = seeds[first : first + settings.at_once]

            def tick(count: int = len(part)) -> None:
                nonlocal done
                done += count
                advance(done, len(seeds) * steps)

            made.append(to_pictures(self.draw([wish.subject] * len(part), part, settings, tick)))
        return np.concatenate(made)

    @torch.inference_mode()
    def draw(
        self, species: Sequence[str], seeds: Sequence[int], settings: SamplingSettings, tick: Any = lambda: None
    ) -> Float[Tensor, "batch 3 height width"]:
        """Draws RGB in [-1, 1] of classes by name; an unknown one is no class."""
        side = self.autoencoder.config.latent_side
        latents = sample_latents(self.denoiser, self.denoiser.labels(species), seeds, side, settings, tick=tick)
        return self.autoencoder.decode(latents).clamp(-1, 1)

    def _check(self, wish: Wish) -> None:
        if wish.negative:
            raise ConfigError("--negative", wish.negative, "nothing: this model knows classes, not texts")
        if wish.subject or self.classes:
            check_class(wish.subject, self.classes)


def check_pair(denoiser: Denoiser, autoencoder: Autoencoder) -> None:
    """Makes sure that a denoiser fits the latents of an autoencoder.

    Raises:
        CheckpointError: It does not.
    """
    wanted, side = autoencoder.config, int(denoiser.latent_side)
    given = (denoiser.latent_channels, side, denoiser.config.resolution)
    if given != (wanted.latent_channels, wanted.latent_side, wanted.resolution):
        raise CheckpointError(
            f"the denoiser was trained on latents of {given[0]} channels and {side} x {side} positions of pictures of {given[2]} pixels, "
            f"the autoencoder gives {wanted.latent_channels} of {wanted.latent_side} x {wanted.latent_side} of {wanted.resolution}; "
            "name the autoencoder that it was trained with"
        )


def to_pictures(images: Float[Tensor, "batch 3 height width"]) -> Pictures:
    """Rounds RGB in [-1, 1] to bytes."""
    return as_bytes(images).permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8)
