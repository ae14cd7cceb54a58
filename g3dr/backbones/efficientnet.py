"""EfficientNet-Lite0 with ImageNet weights: the stand-in that needs no download.

Its preprocessing is (x - 127) / 128 on [0, 255]. It was trained at 224 x 224 and halves five times.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.backbones.folding import fold_batch_norms, pad_within
from g3dr.backbones.pictures import as_bytes, resized, unit_length
from g3dr.backbones.places import sha256_of
from g3dr.backbones.protocols import Extraction, Look
from g3dr.backbones.reading import read_tensors

STAGE_BLOCKS = (0, 2, 4, 10, 15)
STRIDE = 32
TRAINED_SIZE = 224
LEAST_SIZE = 128


def bare_network() -> Any:
    """Returns the whole network as its package makes it: in training mode, with weights drawn from torch's global chance."""
    with warnings.catch_warnings():
        # The package's source has invalid escapes in its docstrings, which newer Pythons warn about while compiling.
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 (warns when imported)
    return EfficientNet.from_name("efficientnet-lite0")


def _build(weights: Path) -> Any:
    network = bare_network()
    network.load_state_dict(read_tensors(weights))
    network.eval().requires_grad_(False)  # noqa: FBT003 (torch's signature)
    fold_batch_norms(network)
    pad_within(network)
    return network.to(memory_format=torch.channels_last)  # 45 -> 28 ms a picture of 224 pixels on one CPU core


def working_size(side: int) -> int:
    """Returns the size at which pictures of `side` pixels are looked at: `side` rounded up to a multiple of 32, within 128 to 224."""
    return min(TRAINED_SIZE, max(LEAST_SIZE, -(-side // STRIDE) * STRIDE))


class EfficientNetLite0(nn.Module):
    """Embeddings, stage features, pooled features and class probabilities of one network.

    It looks at small pictures enlarged to 128 pixels. Of 70 photographs shrunk to 32 pixels, the nearest features among
    the 70 originals belonged to the right one for 33 % when looked at in 64 pixels, 84 % in 128, 91 % in 224 (at more
    than three times the cost of 128). Losses see larger pictures at their own size up to the 224 it was trained with.
    Metrics always see 224: with 48 against 48 photographs of 32 pixels KID then tells slight blur from none by 2.7 half
    widths of its interval, with 128 by 1.5.

    Args:
        weights: The weights file.
    """

    name = "efficientnet-lite0"
    resize = f"bilinear, antialiased, to {TRAINED_SIZE} x {TRAINED_SIZE}"

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.sha256 = sha256_of(weights)
        self.network = _build(weights)

    def train(self, mode: bool = True) -> "EfficientNetLite0":  # noqa: ARG002, FBT001, FBT002 (torch's signature)
        """Stays in evaluation mode: the batch norms' statistics are part of the weights."""
        return super().train(False)  # noqa: FBT003

    def embed(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch feature"]:
        """Returns the 1280 features averaged over positions, not normalised."""
        return self._pooled(self._prepared(images))

    def stage_features(
        self, images: Float[Tensor, "batch 3 height width"], deepest: int | None = None
    ) -> Sequence[Float[Tensor, "batch feature stage_height stage_width"]]:
        """Returns unit-length features of five stages, each with the same share of the distance (one fifth)."""
        return self._kept(self._stages(self._prepared(images)), deepest)

    def look(self, images: Float[Tensor, "batch 3 height width"], deepest: int | None = None) -> Look:
        """Returns what `embed` and `stage_features` return, for hardly more than one of them costs."""
        stages = self._stages(self._prepared(images))
        return Look(self._head(stages[-1]), self._kept(stages, deepest))

    @torch.no_grad()
    def extract(self, images: Float[Tensor, "batch 3 height width"]) -> Extraction:
        """Returns pooled features and the probabilities of the 1000 classes of ImageNet."""
        saved = resized(as_bytes(images), TRAINED_SIZE)
        features = self._pooled((saved - 127) / 128)
        return Extraction(features, self.network._fc(features).softmax(dim=1))

    def _prepared(self, images: Tensor) -> Tensor:
        size = working_size(max(images.shape[-2:]))
        return ((resized(images, size) + 1) * 127.5 - 127) / 128

    def _stages(self, prepared: Tensor) -> list[Tensor]:
        """Returns what comes out of the stages' blocks, the last of which is the last of all."""
        hidden: Tensor = self.network._swish(self.network._conv_stem(prepared))
        stages = []
        for index, block in enumerate(self.network._blocks):
            hidden = block(hidden)
            if index in STAGE_BLOCKS:
                stages.append(hidden)
        return stages

    @staticmethod
    def _kept(stages: list[Tensor], deepest: int | None) -> list[Tensor]:
        kept = stages if deepest is None else stages[-deepest:]
        return [unit_length(stage) * len(STAGE_BLOCKS) ** -0.5 for stage in kept]

    def _head(self, hidden: Tensor) -> Tensor:
        features: Tensor = self.network._swish(self.network._conv_head(hidden))
        return features.mean(dim=(2, 3))

    def _pooled(self, prepared: Tensor) -> Tensor:
        return self._head(self._stages(prepared)[-1])
