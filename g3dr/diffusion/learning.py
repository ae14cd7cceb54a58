"""The learners of both networks, by the names under which `g3dr.networks` looks for them."""

from g3dr.diffusion.autoencoder_learning import AutoencoderLearner
from g3dr.diffusion.denoiser_learning import DenoiserLearner

__all__ = ["AutoencoderLearner", "DenoiserLearner"]
