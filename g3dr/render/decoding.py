"""Raw density and colour at samples: lookup, softplus and the decoder's second layer in one differentiable operation.

Nothing that is as wide as the hidden layer is kept for the backward pass: it is computed again from the samples' coordinates.
Samples go in parts that stay in a CPU's cache, or fill a GPU.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from g3dr.render.layouts import Layout
from g3dr.render.lookup import Location, Looked, Rows, add_transposed, locate, look_up
from g3dr.render.table import NodeTable

CPU_SAMPLES = 2**12  # hidden values of so many samples fit into the second-level cache of one core
GPU_SAMPLES = 2**20
FORWARD_BLOCK = 2**16  # samples that are located at once
BACKWARD_BLOCK = 2**19  # samples whose hidden gradients are kept until they are summed into the table
LARGEST_EXPONENT = 80.0  # exp stays finite in float32; from there on softplus(x) = x

Raw = Float[Tensor, "value sample"]
Weight = Float[Tensor, "value channel"]
Coordinates = Float[Tensor, "axis batch sample"]


def softplus_(hidden: Looked) -> Looked:
    """Returns the softplus, possibly in place; twice as fast on a CPU as torch's, within 1e-7."""
    if hidden.device.type != "cpu" or hidden.amax() > LARGEST_EXPONENT:
        return F.softplus(hidden)
    return hidden.exp_().add_(1).log_()


def _blocks(samples: int, size: int) -> Iterator[slice]:
    """Returns the parts of at most `size` samples."""
    return (slice(begin, min(begin + size, samples)) for begin in range(0, samples, size))


def _activations(rows: Rows, location: Location) -> Iterator[tuple[slice, Looked]]:
    """Returns the hidden layer's output, part by part, and which samples each part holds."""
    nodes, weights = location.nodes(), location.weights.flatten(1)
    at_once = CPU_SAMPLES * torch.get_num_threads() if rows.device.type == "cpu" else GPU_SAMPLES
    return ((part, softplus_(look_up(rows, nodes[part], weights[part]))) for part in _blocks(len(nodes), at_once))


class Decoding(torch.autograd.Function):
    """Differentiable in the table's rows and in the second layer."""

    @staticmethod
    def forward(  # noqa: PLR0917 (autograd's call)
        ctx: Any,
        rows: Float[Tensor, "batch node channel"],
        weight: Weight,
        bias: Float[Tensor, "value"],
        coordinates: Coordinates,
        pairs: tuple[tuple[int, int], ...],
        side: int,
    ) -> Float[Tensor, "value batch sample"]:
        """Evaluates the samples of each image block by block."""
        ctx.save_for_backward(rows, weight, coordinates)
        ctx.pairs, ctx.side = pairs, side
        raw = rows.new_empty((len(weight), *coordinates.shape[1:]))
        block_size = FORWARD_BLOCK if rows.device.type == "cpu" else GPU_SAMPLES
        for image, image_rows in enumerate(rows.detach()):
            for block in _blocks(coordinates.shape[2], block_size):
                decoded = raw[:, image, block]
                for part, activated in _activations(image_rows, locate(coordinates[:, image, block], pairs, side)):
                    decoded[:, part] = weight @ activated.t()
        return raw.add_(bias[:, None, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "value batch sample"]) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        """Computes the hidden layer again, and sums its gradient into the table block by block."""
        rows, weight, coordinates = (tensor.detach() for tensor in ctx.saved_tensors)
        total, weight_gradient = torch.zeros_like(rows), torch.zeros_like(weight)
        for image, image_rows in enumerate(rows):
            for block in _blocks(coordinates.shape[2], BACKWARD_BLOCK):
                location = locate(coordinates[:, image, block], ctx.pairs, ctx.side)
                hidden = _hidden_gradient(image_rows, weight, weight_gradient, location, gradient[:, image, block])
                add_transposed(total[image], hidden, location)
        return total, weight_gradient, gradient.sum(dim=(1, 2)), None, None, None


def _hidden_gradient(rows: Rows, weight: Weight, weight_gradient: Weight, location: Location, gradient: Raw) -> Looked:
    """Returns the gradient before the softplus, and adds that of the second layer's weight to `weight_gradient`."""
    hidden = rows.new_empty((gradient.shape[1], rows.shape[1]))
    for part, activated in _activations(rows, location):
        incoming = gradient[:, part]
        weight_gradient.addmm_(incoming, activated)
        outgoing = torch.mm(incoming.t(), weight, out=hidden[part])
        outgoing.addcmul_(outgoing, activated.neg_().exp_(), value=-1)  # the derivative of softplus is 1 - exp(-softplus)
    return hidden


def decode(
    table: NodeTable, layout: Layout, weight: Float[Tensor, "value channel"], bias: Float[Tensor, "value"], coordinates: Coordinates
) -> Float[Tensor, "value batch sample"]:
    """Returns the decoder's output before its last activation.

    Args:
        table: Of `batch` images, the first layer folded in.
        layout: That of the table.
        weight: The second layer's weight, as it is applied.
        bias: Its bias.
        coordinates: Of the samples, as `layout.axes` returns them.
    """
    raw: Tensor = Decoding.apply(table.rows, weight, bias, coordinates, layout.pairs, table.side)
    return raw
