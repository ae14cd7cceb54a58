"""CLIP ViT-B/16 embeddings of images and of texts through open_clip [Radford et al., 2021]."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn

from g3dr.backbones.pictures import resized, standardized
from g3dr.backbones.places import sha256_of
from g3dr.errors import CheckpointError

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
SIZE = 224


def _build(weights: Path) -> Any:
    import open_clip  # noqa: PLC0415 (slow to import)

    try:
        model = open_clip.create_model("ViT-B-16", pretrained=str(weights), force_quick_gelu=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{weights} does not hold the weights of CLIP ViT-B/16 as tensors that open_clip reads.") from error
    return model.eval().requires_grad_(False)  # noqa: FBT003 (torch's signature)


def clip_input(images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 224 224"]:
    """Brings RGB in [-1, 1] to CLIP's input: bilinear to 224 without antialiasing as G3DR does, CLIP's mean and deviation."""
    return standardized(resized(images, SIZE, antialias=False), MEAN, STD)


class ClipVitB16(nn.Module):
    """OpenAI's CLIP ViT-B/16; only the image half is kept.

    Args:
        weights: A checkpoint that open_clip reads.
    """

    name = "clip-vit-b16"

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.sha256 = sha256_of(weights)
        self.visual = _build(weights).visual

    def embed(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch feature"]:
        """Returns the 512-d embedding, not normalised."""
        embedding: Tensor = self.visual(clip_input(images))
        return embedding


class ClipTextB16(nn.Module):
    """The text half of the same network; its embeddings and the pictures' share one space.

    Args:
        weights: A checkpoint that open_clip reads.
    """

    name = "clip-vit-b16"

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.sha256 = sha256_of(weights)
        self.text = _build(weights)
        self.text.visual = None

    def embed_text(self, texts: Sequence[str]) -> Float[Tensor, "text feature"]:
        """Returns the 512-d embeddings, not normalised; texts of more than 77 tokens are cut off."""
        from open_clip import get_tokenizer  # noqa: PLC0415 (slow to import)

        tokens = get_tokenizer("ViT-B-16")(list(texts)).to(self.text.positional_embedding.device)
        embedding: Tensor = self.text.encode_text(tokens)
        return embedding
