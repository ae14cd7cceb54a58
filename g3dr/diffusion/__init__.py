"""Pictures from a word: latent diffusion, trained here or loaded from public weights [Rombach et al., 2022].

    config -> autoencoder (pictures <-> latents), denoiser (noise -> latents of a class)
    autoencoder_learning, denoiser_learning: how each is trained and measured
    sampling: a class and seeds -> latents; generator: the protocol of whatever makes pictures from a wish
    latent_diffusion: our two networks as such a generator; pipelines: those of the diffusers library
    choosing: which of several candidates is the best

diffusers takes seconds to import: only the modules that compute import it, and nobody imports them from here.
"""

from g3dr.diffusion.config import AutoencoderConfig, DenoiserConfig, SamplingSettings
from g3dr.diffusion.generator import PictureGenerator, Wish

__all__ = ["AutoencoderConfig", "DenoiserConfig", "PictureGenerator", "SamplingSettings", "Wish"]
