"""3x3 convolutions of maps with few pixels and many channels, as one product of matrices (im2col).

There the filters are the large operand. This form reads them as they lie in memory, forwards and backwards, where an ordinary
convolution copies them into an order of its own, and their gradient back: half of its time at 16 x 16 pixels, 1024 channels.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

TAPS = 3

Maps = Float[Tensor, "_batch _channel height width"]
Weight = Float[Tensor, "_output _input 3 3"]


def convolved(features: Maps, weight: Weight, bias: Float[Tensor, "_output"] | None) -> Maps:
    """Convolves with a border of zeros around the input; differentiable, once. The result has its channels last."""
    result: Tensor = _Convolved.apply(features, weight)
    return result if bias is None else result + bias[:, None, None]


def _columns(features: Maps) -> Float[Tensor, "pixel inputs_x_9"]:
    """Returns the neighbourhood of each pixel, a view for a single image."""
    return F.unfold(features, TAPS, padding=1).transpose(1, 2).flatten(0, 1)


class _Convolved(torch.autograd.Function):
    """Keeps the input and the filters, not the neighbourhoods."""

    @staticmethod
    def forward(ctx: Any, features: Maps, weight: Weight) -> Maps:
        """Multiplies neighbourhoods and filters."""
        ctx.save_for_backward(features, weight)
        last = (_columns(features) @ weight.flatten(1).t()).view(len(features), *features.shape[2:], -1)
        return last.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Maps) -> tuple[Tensor | None, Tensor | None]:
        """Returns the gradients of input and filters as far as they are needed."""
        features, weight = (tensor.detach() for tensor in ctx.saved_tensors)
        pixels = gradient.permute(0, 2, 3, 1).reshape(-1, gradient.shape[1])
        of_features = _folded(pixels, weight, features) if ctx.needs_input_grad[0] else None
        return of_features, (pixels.t() @ _columns(features)).view_as(weight) if ctx.needs_input_grad[1] else None


def _folded(pixels: Float[Tensor, "pixel output"], weight: Weight, features: Maps) -> Maps:
    """Gives each neighbourhood's gradient back to the pixels that it was made of."""
    of_columns = weight.flatten(1).t() @ pixels.view(len(features), -1, pixels.shape[1]).transpose(1, 2)
    summed = F.fold(of_columns, features.shape[2:], TAPS, padding=1)
    return summed.contiguous(memory_format=torch.channels_last)
