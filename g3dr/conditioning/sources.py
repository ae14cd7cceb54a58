"""The frozen side of conditioning: from images and names to embeddings and feature maps.

Networks are looked up where they are needed and never become a part of the model: a checkpoint does not hold them, and any
worker finds them by the name in the configuration.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor

from g3dr.backbones import load_perceptual, load_semantic, load_text
from g3dr.conditioning.layers import embedding_channels, stage_channels
from g3dr.config import ConditioningConfig, GeneratorConfig
from g3dr.losses.targets import Recall, look_again
from g3dr.types import Conditioning

UNKNOWN = ""
"""The name of a species that nobody knows."""
REMEMBERED_NAMES = 4096


def condition(
    config: ConditioningConfig,
    generator: GeneratorConfig,
    images: Float[Tensor, "batch 3 height width"],
    names: Sequence[str] | None = None,
    recall: Recall = look_again,
) -> Conditioning:
    """Computes what conditions a batch, without gradients and in float32.

    Args:
        config: What conditions.
        generator: Sizes of the generator.
        images: RGB in [-1, 1].
        names: Species of each image, for `text` and `class`; an empty name, or None for all, means unknown.
        recall: Finds what is known of the images.

    Raises:
        WeightsMissingError: A network's weights are nowhere.
    """
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        return Conditioning(
            embedding=_embedding(config, images, names or [UNKNOWN] * len(images), recall),
            stages=_stages(config, images, len(generator.multipliers), recall),
        )


def _embedding(config: ConditioningConfig, images: Tensor, names: Sequence[str], recall: Recall) -> Tensor | None:
    if config.embedding == "none":
        return None
    if config.embedding == "image":
        backbone = load_semantic(config.embedding_backbone, str(images.device))
        return recall("conditioning: embedding", images, lambda some: [_standardized(backbone.embed(some))])[0]
    if config.embedding == "class":
        return _one_hot(config.classes, names).to(images.device)
    unknown = images.new_zeros(embedding_channels(config))
    rows = [_text_embedding(config.prompt.format(name), str(images.device)) if name != UNKNOWN else unknown for name in names]
    return torch.stack(rows)


def _standardized(embedding: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
    return F.layer_norm(embedding, embedding.shape[1:])


def _one_hot(classes: Sequence[str], names: Sequence[str]) -> Float[Tensor, "batch class"]:
    return torch.tensor([[float(name == known) for known in classes] for name in names])


@lru_cache(maxsize=REMEMBERED_NAMES)
def _text_embedding(sentence: str, device: str) -> Float[Tensor, "feature"]:
    # Kept for later steps, which may need a normal tensor even if the first one is an evaluation.
    with torch.inference_mode(mode=False):
        return _standardized(load_text(device).embed_text([sentence]))[0]


def _stages(config: ConditioningConfig, images: Tensor, levels: int, recall: Recall) -> Sequence[Tensor]:
    if config.stages == "none":
        return ()
    backbone = load_perceptual(config.stages, str(images.device))
    count = len(stage_channels(config, levels))

    def look(some: Tensor) -> Sequence[Tensor]:
        return [_at_level(stage, some.shape[-1] >> level) for level, stage in enumerate(backbone.stage_features(some)[:count])]

    return recall("conditioning: stages", images, look)


def _at_level(stage: Float[Tensor, "batch channel _height _width"], side: int) -> Float[Tensor, "batch channel side side"]:
    """Resizes a feature map, and scales each position to a mean square of 1: networks differ in scale by orders of magnitude."""
    resized = F.interpolate(stage, (side, side), mode="bilinear", align_corners=False, antialias=stage.shape[-1] > side)
    gain: float = resized.shape[1] ** 0.5
    return F.normalize(resized, dim=1) * gain
