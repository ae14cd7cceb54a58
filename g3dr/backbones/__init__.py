"""Frozen pretrained networks, and the one place that decides where their weights come from."""

from g3dr.backbones.loading import ExtractorName, load_backbones, load_extractor, load_perceptual, load_semantic
from g3dr.backbones.protocols import Backbones, EmbeddingBackbone, Extraction, FeatureExtractor, StageBackbone
from g3dr.backbones.sources import find_weights, sha256_of

__all__ = [
    "Backbones",
    "EmbeddingBackbone",
    "Extraction",
    "ExtractorName",
    "FeatureExtractor",
    "StageBackbone",
    "find_weights",
    "load_backbones",
    "load_extractor",
    "load_perceptual",
    "load_semantic",
    "sha256_of",
]
