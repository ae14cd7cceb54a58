"""Pictures of procedural species, and what a feature extractor sees in them."""

import torch
from torch import Tensor

from g3dr.backbones import Extraction, FeatureExtractor
from g3dr.pictures import decode_image
from g3dr.procedural import ExampleId, ProceduralConfig, make_example

RESOLUTION, BATCH = 64, 25


def animals(species: int, count: int, first: int = 0, resolution: int = RESOLUTION) -> Tensor:
    """Draws `count` individuals of a species from number `first` on: RGB in [-1, 1], one view each, from the front."""
    config = ProceduralConfig(species=(species,), individuals=first + count, held_out=0, resolution=resolution)
    examples = [make_example(config, ExampleId(species, individual, "train")) for individual in range(first, first + count)]
    pixels = [torch.from_numpy(decode_image(example.image).copy()) for example in examples]
    return torch.stack(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def seen(extractor: FeatureExtractor, pictures: Tensor) -> Extraction:
    """Looks at the pictures in small batches."""
    parts = [extractor.extract(part) for part in torch.split(pictures, BATCH)]
    return Extraction(torch.cat([part.features for part in parts]), torch.cat([part.probabilities for part in parts]))
