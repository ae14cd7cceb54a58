"""Finished networks, ready to draw, from configuration and weights."""

from collections.abc import Mapping

from torch import Tensor

from g3dr.diffusion.autoencoder import Autoencoder
from g3dr.diffusion.config import AutoencoderConfig, DenoiserConfig
from g3dr.diffusion.denoiser import Denoiser
from g3dr.errors import CheckpointError
from g3dr.training.checkpoint import load_model


def finished_autoencoder(config: AutoencoderConfig, tensors: Mapping[str, Tensor], where: str) -> Autoencoder:
    """Returns an autoencoder in evaluation mode.

    Args:
        config: What it is.
        tensors: Its weights by name.
        where: Where they come from, for error messages.

    Raises:
        CheckpointError: The weights do not fit.
    """
    network = Autoencoder(config)
    load_model(network, tensors, where)
    return network.eval().requires_grad_(requires_grad=False)


def finished_denoiser(config: DenoiserConfig, tensors: Mapping[str, Tensor], where: str) -> Denoiser:
    """Returns a denoiser in evaluation mode; arguments and errors as in `finished_autoencoder`."""
    for name in ("latent_mean", "latent_side"):
        if name not in tensors:
            raise CheckpointError(f"{where}: not the weights of a denoiser, {name} is missing")
    network = Denoiser(config, len(tensors["latent_mean"]), int(tensors["latent_side"]))
    load_model(network, tensors, where)
    return network.eval().requires_grad_(requires_grad=False)
