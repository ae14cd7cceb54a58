"""Training the autoencoder, and measuring it on pictures that it has not seen."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.backbones import load_perceptual
from g3dr.config import TrainingConfig
from g3dr.diffusion.autoencoder import Autoencoder
from g3dr.diffusion.chance import normal
from g3dr.diffusion.config import AutoencoderConfig
from g3dr.diffusion.sheets import pairs_sheet
from g3dr.metrics import psnr, ssim
from g3dr.training.chance import StepChance
from g3dr.training.learning import Advance, Assessment, Learner
from g3dr.types import Batch

_SHOWN = 8

Images = Float[Tensor, "batch 3 height width"]


class AutoencoderLearner(Learner):
    """Absolute error of the pixels, deep features, edges, and a light hold on the latents.

    Args:
        config: The autoencoder and the weights of its losses.
        training: Not looked at.
    """

    network: Autoencoder

    def __init__(self, config: AutoencoderConfig, training: TrainingConfig | None = None) -> None:  # noqa: ARG002  (every learner gets it)
        super().__init__()
        self.config = config
        self.network = Autoencoder(config)
        self.average_decay = config.average_decay

    def initialize(self, seed: int) -> None:
        """See `Learner`."""
        self.network.initialize(seed)

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Takes the principal components of the pictures, where the network begins with them and does not know them yet."""
        principal = self.network.principal
        if principal is not None and not principal.is_fitted:
            principal.fit(batch.images.to(principal.centre.device) for batch in batches)

    def forward(self, batch: Batch, chance: StepChance, step: int) -> dict[str, Tensor]:  # noqa: ARG002  (every step is alike)
        """Returns the terms, each before its weight, and their weighted sum as `loss`."""
        config, latent = self.config, self.network.posterior(batch.images)
        decoded = self.network.decode(latent.sample(normal(chance, *latent.mean.shape[1:])))
        terms = {"pixels": (decoded - batch.images).abs().mean(), "kl": latent.divergence().mean()}
        loss = terms["pixels"] + config.kl * terms["kl"]
        for name, distance in (("perceptual", self._perceptual), ("edges", _edges)):
            weight = getattr(config, name)
            if weight > 0:
                terms[name] = distance(decoded, batch.images)
                loss = loss + weight * terms[name]
        return {"loss": loss, **terms}

    def _perceptual(self, decoded: Images, images: Images) -> Tensor:
        backbone = load_perceptual(self.config.perceptual_backbone, str(images.device))
        with torch.no_grad():
            wanted = backbone.stage_features(images)
        pairs = zip(backbone.stage_features(decoded), wanted, strict=True)
        return torch.stack([(one - other).square().sum(dim=1).mean() for one, other in pairs]).sum()

    @torch.no_grad()
    def assess(self, batches: Iterable[Batch], seed: int, advance: Advance) -> Assessment:  # noqa: ARG002  (no chance here)
        """Measures pictures that went through the most likely latent and back.

        `psnr` in decibels, `ssim` up to 1, `pixels` the mean absolute error of colours in [-1, 1], `latent_deviation` that of all
        numbers of the latents.
        """
        self.network.eval()
        values: dict[str, list[float]] = {"psnr": [], "ssim": [], "pixels": []}
        keys: list[str] = []
        species: list[str] = []
        shown, latents = [], []
        for batch in batches:
            latent = self.network.encode(batch.images)
            decoded = self.network.decode(latent).clamp(-1, 1)
            for name, found in _compared(decoded, batch.images).items():
                values[name] += found.tolist()
            if len(keys) < _SHOWN:
                shown.append((batch.images, decoded))
            keys += batch.keys
            species += batch.species
            latents.append(latent.double().square().mean())
            advance(len(keys))
        figures = {name: sum(column) / len(column) for name, column in values.items()}
        figures["latent_deviation"] = float(torch.stack(latents).mean().sqrt())
        return Assessment(figures, values, keys, species, {"Held-out pictures, and what is left of them": pairs_sheet(shown, _SHOWN)})


def _edges(decoded: Images, images: Images) -> Tensor:
    """Returns the mean absolute error of the differences between neighbours, down and across."""
    error = decoded - images
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def _compared(decoded: Images, images: Images) -> dict[str, Tensor]:
    return {"psnr": psnr(decoded, images), "ssim": ssim(decoded, images), "pixels": (decoded - images).abs().mean(dim=(1, 2, 3))}
