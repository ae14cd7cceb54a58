"""Inception v3 as FID and IS define it, through torch-fidelity: 2048 pool features and unbiased logits."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.backbones.pictures import as_bytes
from g3dr.backbones.places import sha256_of
from g3dr.backbones.protocols import Extraction
from g3dr.backbones.reading import read_tensors


class InceptionV3(nn.Module):
    """The network of the published FID and IS; it resizes by itself, as TensorFlow 1 did.

    Args:
        weights: torch-fidelity's conversion of the 2015 weights.
    """

    name = "inception-v3"
    resize = "bilinear as in TensorFlow 1, to 299 x 299"

    def __init__(self, weights: Path) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # noqa: PLC0415 (slow to import)

        self.sha256 = sha256_of(weights)
        read_tensors(weights)  # refuses a file that the package's own unrestricted reading would run
        self.network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights)
        )
        self.network.eval().requires_grad_(False)  # noqa: FBT003 (torch's signature)

    @torch.no_grad()
    def extract(self, images: Float[Tensor, "batch 3 height width"]) -> Extraction:
        """Returns pool features and the probabilities of its 1008 classes."""
        features, logits = self.network(as_bytes(images).to(torch.uint8))
        return Extraction(features, logits.softmax(dim=1))
