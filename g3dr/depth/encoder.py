"""EfficientNet-Lite0 without its classifier, in five stages that halve the picture each."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.backbones.efficientnet import STAGE_BLOCKS, bare_network
from g3dr.backbones.finding import find_weights
from g3dr.backbones.reading import read_tensors

CHANNELS = (16, 24, 40, 112, 320)
"""Channels of the stages' outputs, at strides 2, 4, 8, 16 and 32."""


class Encoder(nn.Module):
    """The stages; those that are frozen compute no gradients.

    Batch norms use the statistics of ImageNet in training too: nothing depends on which images share a batch.

    Args:
        frozen: How many stages are frozen, the first ones.
    """

    def __init__(self, frozen: int) -> None:
        super().__init__()
        whole = bare_network()
        bounds = (-1, *STAGE_BLOCKS)
        self.stem = nn.Sequential(whole._conv_stem, whole._bn0, whole._swish)
        self.stages = nn.ModuleList(nn.Sequential(*whole._blocks[low + 1 : high + 1]) for low, high in pairwise(bounds))
        self._frozen = frozen
        self.to(memory_format=torch.channels_last)
        self.requires_grad_(requires_grad=True)
        for stage in [self.stem, *self.stages][: frozen + 1] if frozen else []:
            stage.requires_grad_(requires_grad=False)
        self.train(mode=False)

    def train(self, mode: bool = True) -> "Encoder":  # noqa: ARG002, FBT001, FBT002 (torch's signature)
        """Stays in evaluation mode."""
        return super().train(mode=False)

    def load_imagenet(self) -> None:
        """Takes the weights of the installed package.

        Raises:
            WeightsMissingError: They are nowhere.
        """
        whole = bare_network()
        whole.load_state_dict(read_tensors(find_weights("efficientnet-lite0")))
        parts: list[nn.Module] = [whole._conv_stem, whole._bn0, *whole._blocks]
        own: list[nn.Module] = [self.stem[0], self.stem[1], *(block for stage in self.stages for block in stage)]  # type: ignore[attr-defined]
        for part, mine in zip(parts, own, strict=True):
            mine.load_state_dict(part.state_dict())

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Sequence[Float[Tensor, "batch _channel _height _width"]]:
        """Returns the five stages' outputs, the finest first.

        Args:
            images: RGB in [-1, 1]; sides divisible by 32.
        """
        hidden = ((images + 1) * 127.5 - 127) / 128
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        found = []
        for number, stage in enumerate(self.stages):
            with torch.set_grad_enabled(torch.is_grad_enabled() and number >= self._frozen):
                hidden = stage(self.stem(hidden) if number == 0 else hidden)
            found.append(hidden)
        return found
