"""Tiny networks and batches for the tests of diffusion."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from g3dr.diffusion.autoencoder import Autoencoder
from g3dr.diffusion.config import AutoencoderConfig, DenoiserConfig
from g3dr.types import Batch

CLASSES = ("bird", "fish", "frog")
CODES = AutoencoderConfig(
    resolution=16, latent_channels=2, widths=(8, 16), blocks=1, attention=False, norm_groups=4, perceptual=0.0, edges=0.5, kl=1e-4
)
DENOISER = DenoiserConfig(
    resolution=16,
    classes=CLASSES,
    widths=(8, 16),
    blocks=1,
    attention_levels=(1,),
    head_width=8,
    norm_groups=4,
    prediction="v_prediction",
    schedule="cosine",
    average_decay=0.9,
    sampling_steps=4,
    samples_per_class=2,
)
TRANSFORMER = replace(DENOISER, architecture="transformer", widths=(16,), blocks=2)


def batch_of(count: int, seed: int = 0, species: Sequence[str] = CLASSES, side: int = 16) -> Batch:
    """Returns smooth random pictures; species take turns, and each has its own colour."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=generator) - 0.5
    images = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    names = [species[row % len(species)] for row in range(count)]
    for row in range(count):
        images[row, row % len(species) % 3] += 0.4
    depths = torch.full((count, 1, side, side), 5.0)
    return Batch(images, depths, [f"{name}/{seed}-{row:04d}" for row, name in enumerate(names)], names)


def codes(seed: int = 0) -> Autoencoder:
    """Returns an autoencoder that was never trained."""
    return Autoencoder(CODES, seed).eval()
