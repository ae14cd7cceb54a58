"""Loads backbones by the names that a configuration uses, once per process, device and file."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal, cast

import torch
from torch import nn

from g3dr.backbones.clip import ClipTextB16, ClipVitB16
from g3dr.backbones.efficientnet import EfficientNetLite0
from g3dr.backbones.finding import find_weights
from g3dr.backbones.inception import InceptionV3
from g3dr.backbones.lpips import LpipsVgg16
from g3dr.backbones.protocols import Backbones, EmbeddingBackbone, FeatureExtractor, StageBackbone, TextBackbone
from g3dr.backbones.sources import WeightsName
from g3dr.config import ObjectiveConfig, PerceptualBackbone, SemanticBackbone

ExtractorName = Literal["efficientnet_lite0", "inception_v3"]

_BUILDERS: dict[WeightsName, Callable[[Path], nn.Module]] = {
    "efficientnet-lite0": EfficientNetLite0,
    "clip-vit-b16": ClipVitB16,
    "vgg16": LpipsVgg16.load,
    "inception-v3": InceptionV3,
}
_SEMANTIC: dict[SemanticBackbone, WeightsName] = {"clip_vit_b16": "clip-vit-b16", "efficientnet_lite0": "efficientnet-lite0"}
_PERCEPTUAL: dict[PerceptualBackbone, WeightsName] = {"lpips_vgg16": "vgg16", "efficientnet_lite0": "efficientnet-lite0"}
_EXTRACTORS: dict[ExtractorName, WeightsName] = {"inception_v3": "inception-v3", "efficientnet_lite0": "efficientnet-lite0"}
_LOCK = Lock()


@cache
def _build(builder: Callable[[Path], nn.Module], path: Path, device: str) -> nn.Module:
    # An evaluation may be the first to ask: weights made in inference mode could never take part in a training.
    with torch.inference_mode(mode=False):
        return builder(path).to(device)


def _load(name: WeightsName, device: str, weights: Path | None, builder: Callable[[Path], nn.Module] | None = None) -> nn.Module:
    path = find_weights(name, weights)
    with _LOCK:
        return _build(builder or _BUILDERS[name], path.resolve(), device)


def load_semantic(name: SemanticBackbone, device: str = "cpu", weights: Path | None = None) -> EmbeddingBackbone:
    """Loads the network of the embedding term.

    Args:
        name: As in the configuration.
        device: Where it will run.
        weights: A weights file; otherwise the usual places are searched.

    Raises:
        WeightsMissingError: The weights are nowhere.
        CheckpointError: The file is damaged or holds something else.
    """
    return cast("EmbeddingBackbone", _load(_SEMANTIC[name], device, weights))


def load_perceptual(name: PerceptualBackbone, device: str = "cpu", weights: Path | None = None) -> StageBackbone:
    """Loads the network of the deep-feature term; arguments and errors as in `load_semantic`."""
    return cast("StageBackbone", _load(_PERCEPTUAL[name], device, weights))


def load_text(device: str = "cpu", weights: Path | None = None) -> TextBackbone:
    """Loads CLIP's text half; arguments and errors as in `load_semantic`."""
    return cast("TextBackbone", _load("clip-vit-b16", device, weights, ClipTextB16))


def load_extractor(name: ExtractorName, device: str = "cpu", weights: Path | None = None) -> FeatureExtractor:
    """Loads the network behind the distribution metrics; arguments and errors as in `load_semantic`."""
    return cast("FeatureExtractor", _load(_EXTRACTORS[name], device, weights))


def load_backbones(objective: ObjectiveConfig, device: str = "cpu") -> Backbones:
    """Loads what an objective needs: only networks of terms with a weight.

    Raises:
        WeightsMissingError: The weights of a term that counts are nowhere.
    """
    return Backbones(
        semantic=load_semantic(objective.clip_backbone, device) if objective.clip.weight > 0 else None,
        perceptual=load_perceptual(objective.perceptual_backbone, device) if objective.perceptual.weight > 0 else None,
        semantics=load_perceptual(objective.semantics_backbone, device) if objective.semantics.weight > 0 else None,
    )
