"""Measures a denoiser: its error on held-out pictures, and the pictures that it draws beside them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.backbones import load_extractor
from g3dr.diffusion.chance import noise_of_seeds
from g3dr.diffusion.config import SamplingSettings
from g3dr.diffusion.latent_diffusion import LatentDiffusion
from g3dr.diffusion.likeness import SpeciesPictures, accuracy
from g3dr.diffusion.sheets import class_sheet
from g3dr.metrics import FeatureStatistics, frechet_distance, inception_score, kernel_distance, precision_recall
from g3dr.metrics.neighbours import NEIGHBOURS
from g3dr.training.learning import Advance, Assessment
from g3dr.types import Batch

if TYPE_CHECKING:
    from g3dr.diffusion.denoiser_learning import DenoiserLearner

LEVELS = (100, 300, 500, 700, 900)
"""Levels of noise at which the error of held-out pictures is measured."""

_SHOWN_ROWS = 4


@dataclass
class _HeldOut:
    """What is kept of held-out pictures."""

    errors: list[Float[Tensor, "batch level"]] = field(default_factory=list)
    statistics: FeatureStatistics = field(default_factory=FeatureStatistics.empty)
    keys: list[str] = field(default_factory=list)
    species: list[str] = field(default_factory=list)


@torch.no_grad()
def assess_denoiser(learner: "DenoiserLearner", batches: Iterable[Batch], seed: int, advance: Advance) -> Assessment:
    """Measures a denoiser in evaluation mode, looking through EfficientNet-Lite0.

    `denoising_loss` is the mean squared error at five fixed levels of noise, in units of the latents' deviation, and
    `denoising_loss_at_100` to `_at_900` that at each. Of pictures drawn for every class: `fd`, `kid`, `precision`, `recall` (against
    the held-out pictures), `inception_score`, and `species_accuracy`, the share whose nearest held-out picture is of the class
    that was asked for; `real_species_accuracy` is the same for held-out pictures and their nearest other one.
    """
    held = _held_out(learner, batches, seed, advance)
    drawn = _drawn(learner, seed, lambda done: advance(len(held.keys) + done))
    errors = torch.cat(held.errors)
    figures = {"denoising_loss": float(errors.mean())}
    figures |= {f"denoising_loss_at_{level}": float(column.mean()) for level, column in zip(LEVELS, errors.T, strict=True)}
    figures |= _compared(SpeciesPictures(held.statistics, held.species), drawn, str(learner.network.latent_mean.device))
    sheet = class_sheet(drawn, min(_SHOWN_ROWS, learner.config.samples_per_class))
    per_image = {"denoising_loss": errors.mean(dim=1).tolist()}
    looked = load_extractor("efficientnet_lite0", "cpu")
    return Assessment(figures, per_image, held.keys, held.species, {"Drawn for each species": sheet}, looked.name, looked.sha256)


def _held_out(learner: "DenoiserLearner", batches: Iterable[Batch], seed: int, advance: Advance) -> _HeldOut:
    held, device = _HeldOut(), learner.network.latent_mean.device
    extractor = load_extractor("efficientnet_lite0", str(device))
    for batch in batches:
        images = batch.images.to(device)
        held.errors.append(_errors(learner, images, batch.species, seed, len(held.keys)))
        held.statistics = held.statistics.update(extractor.extract(images), batch.keys)
        held.keys += batch.keys
        held.species += batch.species
        advance(len(held.keys))
    return held


def _errors(
    learner: "DenoiserLearner", images: Float[Tensor, "batch 3 height width"], species: Sequence[str], seed: int, first: int
) -> Float[Tensor, "batch level"]:
    """Returns each picture's error at each level; the noise depends on the picture's number and the level alone."""
    network, count = learner.network, len(images)
    latents = network.scaled(learner.autoencoder.encode(images))
    labels = network.labels(species)
    columns = []
    for number, level in enumerate(LEVELS):
        seeds = [seed + (first + row) * len(LEVELS) + number for row in range(count)]
        noise = noise_of_seeds(seeds, *latents.shape[1:]).to(latents.device)
        columns.append(learner.errors(latents, noise, torch.full_like(labels, level), labels))
    return torch.stack(columns, dim=1).cpu()


def _drawn(learner: "DenoiserLearner", seed: int, advance: Advance) -> dict[str, Float[Tensor, "batch 3 height width"]]:
    """Draws pictures of every class, or of none where there are no classes."""
    model, count = LatentDiffusion(learner.network, learner.autoencoder), learner.config.samples_per_class
    drawn = {}
    for number, name in enumerate(learner.config.classes or ("any",)):
        seeds = range(seed + number * count, seed + (number + 1) * count)
        parts = [model.draw([name] * len(part), part, SamplingSettings()) for part in _parts(seeds, SamplingSettings().at_once)]
        drawn[name] = torch.cat(parts)
        advance((number + 1) * count)
    return drawn


def _parts(seeds: range, size: int) -> list[range]:
    return [seeds[first : first + size] for first in range(0, len(seeds), size)]


def _compared(real: SpeciesPictures, drawn: dict[str, Float[Tensor, "batch 3 height width"]], device: str) -> dict[str, float]:
    extractor = load_extractor("efficientnet_lite0", device)
    looks = [
        FeatureStatistics.of(extractor.extract(images), [f"{name}/drawn-{number}" for number in range(len(images))])
        for name, images in drawn.items()
    ]
    made = reduce(FeatureStatistics.merge, looks)
    figures = {"inception_score": inception_score(made.probabilities)}
    if min(made.count, real.statistics.count) > NEIGHBOURS:
        judged = precision_recall(real.statistics, made)
        figures |= {"fd": frechet_distance(real.statistics, made), "kid": kernel_distance(real.statistics, made)}
        figures |= {"precision": judged.precision, "recall": judged.recall}
    wanted = [name for name, images in drawn.items() for _ in range(len(images))]
    if set(wanted) <= set(real.species) and len(real.species) > 1:
        figures["species_accuracy"] = accuracy(real.nearest(made.features), wanted)
        figures["real_species_accuracy"] = accuracy(real.leave_one_out(), real.species)
    return figures
