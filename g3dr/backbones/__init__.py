"""Frozen pretrained networks, and the one place that decides where their weights come from."""

from g3dr.backbones.finding import find_weights
from g3dr.backbones.loading import ExtractorName, load_backbones, load_extractor, load_perceptual, load_semantic, load_text
from g3dr.backbones.places import sha256_of
from g3dr.backbones.protocols import Backbones, EmbeddingBackbone, Extraction, FeatureExtractor, StageBackbone, TextBackbone

__all__ = [
    "Backbones",
    "EmbeddingBackbone",
    "Extraction",
    "ExtractorName",
    "FeatureExtractor",
    "StageBackbone",
    "TextBackbone",
    "find_weights",
    "load_backbones",
    "load_extractor",
    "load_perceptual",
    "load_semantic",
    "load_text",
    "sha256_of",
]
