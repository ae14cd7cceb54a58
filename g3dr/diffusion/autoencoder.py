"""Pictures to latents and back.

Shapes: batch, latent (channel of a latent), latent_height, latent_width.
"""

from dataclasses import dataclass

from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.diffusion.config import AutoencoderConfig
from g3dr.diffusion.initialization import draw_weights

_LEAST_LOG_VARIANCE, _LARGEST_LOG_VARIANCE = -30.0, 20.0


@dataclass(frozen=True)
class Posterior:
    """What the encoder says about latents: independent normal numbers.

    Attributes:
        mean: Their means.
        log_variance: Logarithms of their variances.
    """

    mean: Float[Tensor, "batch latent latent_height latent_width"]
    log_variance: Float[Tensor, "batch latent latent_height latent_width"]

    def sample(
        self, noise: Float[Tensor, "batch latent latent_height latent_width"]
    ) -> Float[Tensor, "batch latent latent_height latent_width"]:
        """Returns latents at standard normal `noise`."""
        return self.mean + (self.log_variance / 2).exp() * noise

    def divergence(self) -> Float[Tensor, "batch"]:
        """Returns the divergence from standard normal numbers, nats, averaged over each latent."""
        nats = (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance) / 2
        return nats.mean(dim=(1, 2, 3))


class Autoencoder(nn.Module):
    """An encoder and a decoder.

    Args:
        config: Sizes.
        seed: Of the first weights.
    """

    def __init__(self, config: AutoencoderConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        levels = len(config.widths)
        self.networks = AutoencoderKL(
            sample_size=config.resolution,
            latent_channels=config.latent_channels,
            block_out_channels=config.widths,
            layers_per_block=config.blocks,
            norm_num_groups=config.norm_groups,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            mid_block_add_attention=config.attention,
        )
        draw_weights(self.networks, seed)

    def posterior(self, images: Float[Tensor, "batch 3 height width"]) -> Posterior:
        """Encodes RGB in [-1, 1]."""
        distribution = self.networks.encode(images).latent_dist
        return Posterior(distribution.mean, distribution.logvar.clamp(_LEAST_LOG_VARIANCE, _LARGEST_LOG_VARIANCE))

    def encode(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch latent latent_height latent_width"]:
        """Returns the most likely latents of RGB in [-1, 1]."""
        return self.posterior(images).mean

    def decode(self, latents: Float[Tensor, "batch latent latent_height latent_width"]) -> Float[Tensor, "batch 3 height width"]:
        """Returns RGB, about in [-1, 1]."""
        pictures: Tensor = self.networks.decode(latents).sample
        return pictures
