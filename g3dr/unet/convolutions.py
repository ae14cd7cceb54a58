"""The convolutions of the U-Net, each in the form in which it is cheapest. All are exact, none is an approximation.

Features lie in memory with their channels last. Attribute names are those of the published checkpoints.
"""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.unet import unfolded, winograd
from g3dr.unet.constants import Constants, are_kept
from g3dr.unet.filtering import LARGE_TILES, SMALL_TILES, UPSAMPLING, Filtering
from g3dr.unet.winograd import kept_filters

NORM_EPSILON = 1e-5
WIDE_CHANNELS = 128  # below, transforming the input costs more than the products that it saves
FEWEST_TILES = 256  # below, transforming filters costs more than it saves, unless they are kept

# Axes with an underscore may differ between the arguments and the result of one function.
Features = Float[Tensor, "batch _channel _height _width"]


def computing_dtype(tensor: Tensor) -> torch.dtype:
    """Returns the type in which autocast computes products on the device of `tensor`."""
    kind = tensor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32


def is_wide_and_exact(features: Tensor, weight: Tensor) -> bool:
    """Returns whether matrix products in float32 on a CPU are the way to convolve: for many channels, unless a compiler is looking."""
    exact = features.device.type == "cpu" and features.dtype == torch.float32 == computing_dtype(features)
    return exact and min(weight.shape[:2]) >= WIDE_CHANNELS and not torch.compiler.is_compiling()


def has_tiles(features: Features, filtering: Filtering, fewest: int) -> bool:
    """Returns whether a map can be divided into tiles of the output, at least `fewest` of them."""
    whole = not any(size % filtering.tile for size in features.shape[2:])
    return whole and features[:, 0].numel() >= fewest * filtering.tile**2


def tiles_for(features: Features, fewest: int) -> Filtering | None:
    """Returns the algorithm for a 3x3 convolution of a map.

    Large tiles save more products and need more filters, so there must be enough of them.

    Args:
        features: The map.
        fewest: Small tiles that there must be; else, and for odd sizes, the result is None.
    """
    for filtering, enough in ((LARGE_TILES, FEWEST_TILES), (SMALL_TILES, fewest)):
        if has_tiles(features, filtering, enough):
            return filtering
    return None


def added(fresh: Tensor, other: Tensor) -> Tensor:
    """Returns the sum of two maps, in the memory of `fresh`, which nobody else holds, unless gradients need it."""
    if torch.is_grad_enabled() or fresh.dtype != torch.promote_types(fresh.dtype, other.dtype):
        return fresh + other
    return fresh.add_(other)


class Convolution(nn.Conv2d):
    """A 3x3 convolution that keeps the size of the map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        self.constants = Constants()

    def applied_weight(self) -> Float[Tensor, "outputs inputs 3 3"]:
        """Returns the filters as they are applied."""
        return self.weight

    def forward(self, input: Features) -> Features:  # noqa: A002, the name of nn.Conv2d
        """Convolves in the form that is cheapest for this map."""
        if not is_wide_and_exact(input, self.weight):
            weight = self.constants.get("weight", [self.weight], self.applied_weight, computing_dtype(input))
            return F.conv2d(input, weight, self.bias, padding=1)
        if are_kept([self.weight]):
            return self._with_kept_filters(input)
        filtering, weight = tiles_for(input, FEWEST_TILES), self.constants.get("weight", [self.weight], self.applied_weight)
        if filtering is None:
            return unfolded.convolved(input, weight, self.bias)
        return winograd.convolved(input, weight, self.bias, filtering)

    def _with_kept_filters(self, input: Features) -> Features:  # noqa: A002, as above
        filtering = tiles_for(input, 1)
        if filtering is None:
            return F.conv2d(input, self.constants.get("weight", [self.weight], self.applied_weight), self.bias, padding=1)
        name = f"filters of {filtering.tile} pixels"
        filters = self.constants.get(name, [self.weight], lambda: kept_filters(self.applied_weight(), filtering))
        return winograd.convolve(input, filters, self.bias, filtering)


class StandardizedConvolution(Convolution):
    """A 3x3 convolution whose filters have mean 0 and variance 1 (weight standardisation, Qiao et al. 2019)."""

    def applied_weight(self) -> Float[Tensor, "outputs inputs 3 3"]:
        """Returns the standardised filters, always in float32."""
        flat = self.weight.float().flatten(1)
        return F.layer_norm(flat, flat.shape[1:], eps=NORM_EPSILON).view_as(self.weight)


class PointwiseConvolution(nn.Conv2d):
    """A 1x1 convolution as a matrix product over channels that lie last."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, input: Features) -> Features:  # noqa: A002, the name of nn.Conv2d
        """Mixes the channels of each pixel."""
        return F.linear(input.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class Downsampling(nn.Sequential):
    """Halves the resolution: 2x2 pixels become channels, a 1x1 convolution mixes them; that is one 2x2 convolution of stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.PixelUnshuffle(2), nn.Conv2d(4 * inputs, outputs, 1))

    def forward(self, input: Features) -> Features:  # noqa: A002, the name of nn.Sequential
        """Applies both steps as one."""
        mix = cast(nn.Conv2d, self[1])
        return F.conv2d(input, mix.weight.reshape(len(mix.weight), -1, 2, 2), mix.bias, stride=2)


class Upsampling(nn.Sequential):
    """Doubles the resolution: nearest neighbours, then a 3x3 convolution.

    Of the nine pixels under a filter only four differ, so both steps are one transposed 4x4 convolution of stride 2 with 4/9 of
    the products, and the map of doubled neighbours is never written. On a CPU a quarter of the products is enough, see `UPSAMPLING`.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.constants = Constants()

    def merged_weight(self) -> Float[Tensor, "inputs outputs 4 4"]:
        """Returns the filters of the transposed convolution, in float32."""
        weight = cast(Tensor, self[1].weight).float()
        columns = F.pad(weight, (0, 1)) + F.pad(weight, (1, 0))
        return (F.pad(columns, (0, 0, 0, 1)) + F.pad(columns, (0, 0, 1, 0))).transpose(0, 1).flip(2, 3)

    def forward(self, input: Features) -> Features:  # noqa: A002, the name of nn.Sequential
        """Applies both steps as one."""
        convolution = cast(nn.Conv2d, self[1])
        if not is_wide_and_exact(input, convolution.weight):
            weight = self.constants.get("weight", [convolution.weight], self.merged_weight, computing_dtype(input))
            return F.conv_transpose2d(input, weight, convolution.bias, stride=2, padding=1)
        if are_kept([convolution.weight]):
            filters = self.constants.get("filters", [convolution.weight], lambda: kept_filters(convolution.weight, UPSAMPLING))
            return winograd.convolve(input, filters, convolution.bias, UPSAMPLING)
        self.constants.forget()
        return winograd.convolved(input, convolution.weight, convolution.bias, UPSAMPLING)
