"""The configuration of a published generator, read from the shapes of its tensors."""

from collections.abc import Mapping
from itertools import count

import torch

from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.errors import CheckpointError, ConfigError
from g3dr.render import PlaneDecoder
from g3dr.training.checkpoint import differences
from g3dr.unet import TriplaneUNet
from g3dr.unet.generator import INPUT_CHANNELS, PLANES

Shape = tuple[int, ...]

PARTS = ("pos_embed", "decoder.", "init_conv.", "time_mlp.", "downs.", "ups.", "mid_block1.", "mid_attn.", "mid_block2.", "final_")
"""The order in which published networks list their parts, and by which their optimizers number the parameters."""


def expected_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Returns name and shape of every tensor, in the order of published files; allocates nothing."""
    with torch.device("meta"):
        state = TriplaneUNet(config.generator).state_dict()
        decoder = PlaneDecoder(config.generator.features, config.renderer.decoder_width).state_dict()
    state.update({f"decoder.{name}": value for name, value in decoder.items()})
    ordered = sorted(state, key=lambda name: next(place for place, part in enumerate(PARTS) if name.startswith(part)))
    return {name: tuple(state[name].shape) for name in ordered}


def derive_config(shapes: Mapping[str, Shape], where: str, resolution: int | None = None) -> ModelConfig:
    """Returns the configuration whose tensors have these shapes: published layout, everything that has no shape as published.

    Args:
        shapes: Shape by published name.
        where: For error messages.
        resolution: Side of the planes, pixels; only needed where there is no position map to read it from.

    Raises:
        CheckpointError: The tensors are not those of a generator; the sentence names what is missing and what is too much.
    """
    try:
        config = _guess(shapes, where, resolution)
    except (KeyError, IndexError, ValueError, ZeroDivisionError, ConfigError):
        config = ModelConfig()
    problems = differences(expected_shapes(config), shapes)
    if problems:
        raise CheckpointError(f"{where}: these are not the tensors of a G3DR generator: {'; '.join(problems)}")
    return config


def _guess(shapes: Mapping[str, Shape], where: str, resolution: int | None) -> ModelConfig:
    width, inputs = shapes["init_conv.weight"][:2]
    decoder_width, features = shapes["decoder.net.0.weight"]
    side = shapes["pos_embed"][-1] if "pos_embed" in shapes else resolution
    if side is None:
        raise CheckpointError(f"{where}: without a position map nothing tells the resolution of the planes; name it with --resolution")
    generator = GeneratorConfig(
        resolution=side,
        width=width,
        multipliers=_multipliers(shapes, width),
        position_channels=inputs - INPUT_CHANNELS,
        features=shapes["final_conv.weight"][0] // PLANES if "final_conv.weight" in shapes else features,
        attention=any(name.endswith("to_qkv.weight") for name in shapes),
    )
    return ModelConfig(generator, RendererConfig(layout="published", decoder_width=decoder_width))


def _multipliers(shapes: Mapping[str, Shape], width: int) -> tuple[int, ...]:
    """Reads the channels that each level ends with: after its downsampling, at the last level after its convolution."""
    found: list[int] = []
    for level in count():
        shape = shapes.get(f"downs.{level}.3.1.weight") or shapes.get(f"downs.{level}.3.weight")
        if shape is None:
            return tuple(found)
        found.append(shape[0] // width)
    raise AssertionError  # unreachable: counting never ends by itself
