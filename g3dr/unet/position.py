"""The first values of the learned position map."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.config import PositionInit


def _waves(axis: Float[Tensor, "height width"], resolution: int) -> list[Float[Tensor, "height width"]]:
    """Sine and cosine of one coordinate, one octave a pair, down to a wavelength of four pixels."""
    octaves = max(1, int(math.log2(resolution)) - 1)
    return [wave(math.pi * 2**octave * axis) for octave in range(octaves) for wave in (torch.sin, torch.cos)]


def initial_position_map(channels: int, resolution: int, init: PositionInit) -> Float[Tensor, "1 channel height width"]:
    """Returns ones, or pixel coordinates in [-1, 1] and sinusoids of them, lowest frequencies first, then ones.

    Args:
        channels: Channels of the map; coordinates that do not fit are left out.
        resolution: Side of the map, pixels.
        init: `ones` as published, or `coordinates`.
    """
    position = torch.ones(channels, resolution, resolution)
    if init == "coordinates":
        steps = torch.linspace(-1, 1, resolution)
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        pairs = zip(_waves(columns, resolution), _waves(rows, resolution), strict=True)
        known = torch.stack([columns, rows, *(wave for pair in pairs for wave in pair)])[:channels]
        position[: len(known)] = known
    return position[None]
