"""Pictures to latents and back.

Shapes: batch, latent (channel of a latent), latent_height, latent_width.
"""

from dataclasses import dataclass

from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from g3dr.diffusion.config import AutoencoderConfig
from g3dr.diffusion.initialization import draw_weights, silence
from g3dr.diffusion.principal import PrincipalSquares

_LITTLE_NOISE = -8.0  # logarithm of a variance
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
        levels, channels = len(config.widths), 3 * config.patch**2
        self.networks = AutoencoderKL(
            in_channels=channels,
            out_channels=channels,
            sample_size=config.resolution // config.patch,
            latent_channels=config.latent_channels,
            block_out_channels=config.widths,
            layers_per_block=config.blocks,
            norm_num_groups=config.norm_groups,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            mid_block_add_attention=config.attention,
        )
        self.principal = PrincipalSquares(config.factor, config.latent_channels) if config.principal else None
        self.initialize(seed)

    def initialize(self, seed: int) -> None:
        """Draws first weights; beside principal components both networks begin with nothing to add, and next to no noise."""
        draw_weights(self.networks, seed)
        if self.principal is not None:
            silence(self.networks.quant_conv, self.networks.decoder.conv_out)
            nn.init.constant_(self.networks.quant_conv.bias[self.config.latent_channels :], _LITTLE_NOISE)

    def posterior(self, images: Float[Tensor, "batch 3 height width"]) -> Posterior:
        """Encodes RGB in [-1, 1]."""
        distribution = self.networks.encode(functional.pixel_unshuffle(images, self.config.patch)).latent_dist
        mean = distribution.mean if self.principal is None else distribution.mean + self.principal.encode(images)
        return Posterior(mean, distribution.logvar.clamp(_LEAST_LOG_VARIANCE, _LARGEST_LOG_VARIANCE))

    def encode(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch latent latent_height latent_width"]:
        """Returns the most likely latents of RGB in [-1, 1]."""
        return self.posterior(images).mean

    def decode(self, latents: Float[Tensor, "batch latent latent_height latent_width"]) -> Float[Tensor, "batch 3 height width"]:
        """Returns RGB, about in [-1, 1]."""
        pictures = functional.pixel_shuffle(self.networks.decode(latents).sample, self.config.patch)
        return pictures if self.principal is None else pictures + self.principal.decode(latents)
