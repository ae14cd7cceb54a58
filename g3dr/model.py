"""The whole model: U-Net, decoder and renderer, with the parameter names of the published checkpoints."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.conditioning import ConditioningLayers, condition
from g3dr.conditioning.layers import ZeroConvolution, ZeroLinear
from g3dr.config import ModelConfig, Precision
from g3dr.initialization import WithoutInitialization
from g3dr.losses.targets import Recall, look_again
from g3dr.precision import inference_autocast
from g3dr.render import NodeTable, PlaneDecoder, RaySampling, Renderer
from g3dr.render.decoder import OUTPUTS, ScaledLinear, SemanticHead
from g3dr.types import Conditioning, Rays, Rendering
from g3dr.unet import TriplaneUNet
from g3dr.unet.position import initial_position_map

ENCODER_PREFIXES = ("pos_embed", "init_conv.", "time_mlp.", "downs.", "mid_")
SEMANTIC_PREFIX = "decoder.semantics."
CONDITIONING_PREFIXES = ("conditioning.", SEMANTIC_PREFIX)


class G3DR(TriplaneUNet):
    """An image and its depth become an object that can be rendered from anywhere.

    The U-Net is a base class and not a part, because published checkpoints name its parameters without a prefix.
    A new model has the weights of `initialize(0)`; that of `blank` waits for a checkpoint.

    Args:
        config: Sizes and rendering.
        seed: Of the first weights; None leaves them as they come.
    """

    def __init__(self, config: ModelConfig, seed: int | None = 0) -> None:
        super().__init__(config.generator)
        self.config = config
        self.decoder = PlaneDecoder(config.generator.features, config.renderer.decoder_width, config.conditioning.semantic_channels)
        self.conditioning = ConditioningLayers(config.conditioning, config.generator)
        self.renderer = Renderer(config.renderer, config.generator.resolution)
        if seed is not None:
            self.initialize(seed)

    @classmethod
    def blank(cls, config: ModelConfig) -> "G3DR":
        """Returns a model whose weights mean nothing yet, in a third of the time: all of them must be loaded."""
        with WithoutInitialization():
            return cls(config, seed=None)

    def condition(
        self, images: Float[Tensor, "batch 3 height width"], names: Sequence[str] | None = None, recall: Recall = look_again
    ) -> Conditioning:
        """Returns what frozen networks say about images, and names about species: nothing for a model without conditioning.

        Args:
            images: RGB in [-1, 1].
            names: Species of each image; an empty name, or None for all, means unknown.
            recall: Finds what is known of the images.

        Raises:
            WeightsMissingError: The weights of a frozen network are nowhere.
        """
        return condition(self.config.conditioning, self.config.generator, images, names, recall)

    def encode(
        self,
        images: Float[Tensor, "batch 3 height width"],
        depths: Float[Tensor, "batch 1 height width"],
        conditioning: Conditioning | None = None,
        *,
        precision: Precision | None = None,
    ) -> NodeTable:
        """Returns the objects of a batch of images, ready for rendering any number of views.

        Fastest under `torch.inference_mode`: what depends on weights alone is then kept from one call to the next.

        Args:
            images: RGB in [-1, 1].
            depths: Distance along the ray, world units in [4, 6).
            conditioning: Of `condition`; None computes it from the images, with species unknown.
            precision: Of the generator's products; `bfloat16` is float32 on a CPU where that is faster. None leaves it to
                autocast around the call, which is float32 where there is none.

        Raises:
            WeightsMissingError: The weights of a frozen network are nowhere.
            DataError: The conditioning is not of this model's kind.
            ConfigError: There is no such precision.
        """
        conditioning = conditioning or self.condition(images)
        with inference_autocast(images.device, precision):
            planes = self.planes(images, depths, self.conditioning(conditioning))
        with torch.autocast(planes.device.type, enabled=False):
            return self.renderer.table(planes, self.decoder)

    def render(self, table: NodeTable, rays: Rays, sampling: RaySampling | None = None) -> Rendering:
        """Renders rays of encoded objects, in float32 whatever autocast says.

        Args:
            table: Objects of `batch` images.
            rays: The same number of rays per image, of one view or of several.
            sampling: Chance and known depths; none of them by default, as in evaluation.
        """
        with torch.autocast(table.rows.device.type, enabled=False):
            rendering: Rendering = self.renderer(table, self.decoder, rays, sampling or RaySampling())
        return rendering

    def values_at(self, table: NodeTable, points: Float[Tensor, "batch point 3"]) -> Float[Tensor, "batch point 4"]:
        """Returns raw density, then colour in [0, 1], at points of encoded objects; callers bound how many at once.

        Args:
            table: Objects of `batch` images.
            points: World frame. What counts is softplus(density - 1) per world unit, see `g3dr.render.compositing`.
        """
        with torch.autocast(table.rows.device.type, enabled=False):
            return self.renderer.values_at(table, self.decoder, points)[..., :OUTPUTS]

    def encoder_parameters(self) -> list[str]:
        """Returns the names of the parameters that fine-tuning with a frozen encoder keeps [R]."""
        return [name for name, _ in self.named_parameters() if name.startswith(ENCODER_PREFIXES)]

    @torch.no_grad()
    def initialize(self, seed: int | torch.Generator) -> None:
        """Sets all weights to fresh random ones.

        Args:
            seed: Or a generator on the CPU, which makes the same weights for every device.
        """
        generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
        for module in self.modules():
            _initialize_module(module, generator)
        self.decoder.last.bias[0] = self.config.renderer.initial_density
        if self.generator_config.position_channels:
            config = self.generator_config
            self.pos_embed.copy_(initial_position_map(config.position_channels, config.resolution, config.position_init))


def _initialize_module(module: nn.Module, generator: torch.Generator) -> None:
    """Uniform in +-1 / sqrt(inputs) for convolutions and linear layers, normal for the decoder's scaled layers, zeros for conditioning."""
    if isinstance(module, ZeroLinear | ZeroConvolution | SemanticHead):
        module.reset_parameters()
    elif isinstance(module, nn.Conv2d | nn.Linear):
        bound = 1 / math.sqrt(module.weight[0].numel())
        for parameter in module.parameters(recurse=False):
            parameter.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator))
    elif isinstance(module, ScaledLinear):
        module.weight.copy_(torch.randn(module.weight.shape, generator=generator))
        module.bias.zero_()
