"""The trained side of conditioning: projections that start as zeros, so that a model that gets them computes what it did before."""

from collections.abc import Sequence

from torch import Tensor, nn

from g3dr.backbones.sizes import EMBEDDING_CHANNELS, STAGE_CHANNELS
from g3dr.config import ConditioningConfig, GeneratorConfig
from g3dr.errors import DataError
from g3dr.types import Conditioning, Guidance


class ZeroLinear(nn.Linear):
    """A linear layer without bias that starts as zeros."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def reset_parameters(self) -> None:
        """Sets the weights to zero."""
        nn.init.zeros_(self.weight)


class ZeroConvolution(nn.Conv2d):
    """A 1x1 convolution without bias that starts as zeros."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)

    def reset_parameters(self) -> None:
        """Sets the weights to zero."""
        nn.init.zeros_(self.weight)


def embedding_channels(config: ConditioningConfig) -> int:
    """Returns the length of the embedding that `config` asks for; 0 for none."""
    if config.embedding == "none":
        return 0
    return len(config.classes) if config.embedding == "class" else EMBEDDING_CHANNELS[config.embedding_backbone]


def stage_channels(config: ConditioningConfig, levels: int) -> Sequence[int]:
    """Returns the channels of the feature maps that go to the first levels of an encoder of `levels` levels."""
    return () if config.stages == "none" else STAGE_CHANNELS[config.stages][:levels]


class ConditioningLayers(nn.Module):
    """Brings embeddings and feature maps to the generator's widths.

    A class's column of `embedding.weight` is its learned vector.

    Args:
        config: What conditions.
        generator: Sizes of the generator.
    """

    def __init__(self, config: ConditioningConfig, generator: GeneratorConfig) -> None:
        super().__init__()
        inputs = embedding_channels(config)
        self.embedding = ZeroLinear(inputs, 4 * generator.width) if inputs else None
        channels = stage_channels(config, len(generator.multipliers))
        widths = [generator.width, *(generator.width * multiplier for multiplier in generator.multipliers)]
        self.stages = nn.ModuleList(ZeroConvolution(count, width) for count, width in zip(channels, widths, strict=False))

    def forward(self, conditioning: Conditioning) -> Guidance:
        """Projects what is there.

        Args:
            conditioning: With an embedding and feature maps where the configuration has them.

        Raises:
            DataError: They are missing, or there are others.
        """
        if (self.embedding is None) != (conditioning.embedding is None) or len(self.stages) != len(conditioning.stages):
            wanted = f"{'no' if self.embedding is None else 'an'} embedding and {len(self.stages)} feature maps"
            raise DataError(f"The conditioning does not fit the model, which takes {wanted}: make it with model.condition(images, names).")
        levels: list[Tensor] = [layer(stage) for layer, stage in zip(self.stages, conditioning.stages, strict=True)]
        embedding = None if self.embedding is None else self.embedding(conditioning.embedding)
        return Guidance(embedding, levels)
