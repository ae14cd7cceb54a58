"""The network that takes noise out of latents, in units in which these have mean 0 and deviation 1.

Shapes as in `autoencoder`; a level of noise is an integer from 0 (almost none) to 999 (nothing else).
"""

from collections.abc import Sequence

import torch
from diffusers import DDPMScheduler
from jaxtyping import Float, Int
from torch import Tensor, nn

from g3dr.diffusion.config import NOISE_LEVELS, DenoiserConfig
from g3dr.diffusion.predictors import draw_predictor, make_predictor

# The ends of the published schedules: [LDM] for `scaled_linear`, [Ho et al., 2020] for `linear`; `cosine` has none.
_BETAS = {"scaled_linear": (0.0015, 0.0195), "linear": (1e-4, 2e-2), "cosine": (1e-4, 2e-2)}


def noise_scheduler(config: DenoiserConfig) -> DDPMScheduler:
    """Returns how noise grows with its level, and what the network says about it."""
    first, last = _BETAS[config.schedule]
    return DDPMScheduler(
        num_train_timesteps=NOISE_LEVELS,
        beta_start=first,
        beta_end=last,
        beta_schedule="squaredcos_cap_v2" if config.schedule == "cosine" else config.schedule,
        prediction_type=config.prediction,
        clip_sample=False,
    )


class Denoiser(nn.Module):
    """A U-Net or a transformer with an embedding of classes, and the scale of the latents that it was trained on.

    Args:
        config: Sizes.
        latent_channels: Channels of the autoencoder's latents.
        latent_side: Their side.
        seed: Of the first weights.

    Attributes:
        latent_mean: Mean of each channel of the autoencoder's latents, over the pictures that the training began with.
        latent_deviation: One deviation of all channels, likewise.
        latent_side: Side of the autoencoder's latents.
    """

    latent_mean: Tensor
    latent_deviation: Tensor
    latent_side: Tensor

    def __init__(self, config: DenoiserConfig, latent_channels: int, latent_side: int, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.predictor = make_predictor(config, latent_channels, latent_side)
        self.register_buffer("latent_mean", torch.zeros(latent_channels))
        self.register_buffer("latent_deviation", torch.ones(()))
        self.register_buffer("latent_side", torch.tensor(latent_side))
        self.initialize(seed)

    def initialize(self, seed: int) -> None:
        """Draws first weights, see `draw_predictor`."""
        draw_predictor(self.predictor, seed)

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return len(self.latent_mean)

    @property
    def no_class(self) -> int:
        """The number that stands for no class."""
        return len(self.config.classes)

    def labels(self, species: Sequence[str]) -> Int[Tensor, "batch"]:
        """Returns the numbers of classes; an unknown name is no class."""
        numbers = {name: number for number, name in enumerate(self.config.classes)}
        return torch.tensor([numbers.get(name, self.no_class) for name in species], device=self.latent_mean.device)

    def measure_latents(self, latents: Float[Tensor, "batch latent latent_height latent_width"]) -> None:
        """Sets mean and deviation by the autoencoder's latents of some pictures."""
        mean = latents.double().mean(dim=(0, 2, 3))
        self.latent_mean.copy_(mean)
        self.latent_deviation.copy_((latents.double() - mean[:, None, None]).square().mean().sqrt())

    def scaled(self, latents: Float[Tensor, "batch latent latent_height latent_width"]) -> Float[Tensor, "batch latent _h _w"]:
        """Brings the autoencoder's latents to mean 0 and deviation 1."""
        return (latents - self.latent_mean[:, None, None]) / self.latent_deviation

    def unscaled(self, latents: Float[Tensor, "batch latent latent_height latent_width"]) -> Float[Tensor, "batch latent _h _w"]:
        """Undoes `scaled`."""
        return latents * self.latent_deviation + self.latent_mean[:, None, None]

    def forward(
        self,
        noisy: Float[Tensor, "batch latent latent_height latent_width"],
        levels: Int[Tensor, "batch"],
        labels: Int[Tensor, "batch"],
    ) -> Float[Tensor, "batch latent latent_height latent_width"]:
        """Predicts what `config.prediction` says from scaled latents with noise."""
        predicted: Tensor = self.predictor(noisy, levels, class_labels=labels).sample
        return predicted

    def guided(
        self, noisy: Float[Tensor, "batch latent latent_height latent_width"], level: int, labels: Int[Tensor, "batch"], scale: float
    ) -> Float[Tensor, "batch latent latent_height latent_width"]:
        """Predicts with classifier-free guidance [Ho and Salimans, 2022]: away from what is said without a class.

        Args:
            noisy: Scaled latents, all at one level.
            level: The level of noise.
            labels: Classes.
            scale: 1 for no guidance.
        """
        levels = torch.full_like(labels, level)
        if scale == 1 or bool((labels == self.no_class).all()):
            return self.forward(noisy, levels, labels)
        nothing = torch.full_like(labels, self.no_class)
        told, untold = self.forward(noisy.repeat(2, 1, 1, 1), levels.repeat(2), torch.cat([labels, nothing])).chunk(2)
        return untold + scale * (told - untold)
