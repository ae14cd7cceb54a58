"""Raw density and colour at samples: lookup, softplus and the decoder's second layer in one differentiable operation.

On a CPU where Numba is installed compiled loops do it (`compiled.py`); the operations of PyTorch here do it everywhere else.
Nothing that is as wide as the hidden layer is kept for the backward pass: it is computed again from the samples' coordinates.
Samples go in parts that stay in a CPU's cache, or fill a GPU.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from g3dr.render import compiled
from g3dr.render.layouts import Layout
from g3dr.render.lookup import AllRows, Coordinates, Location, Looked, Places, Rows, add_transposed, look_up
from g3dr.render.table import NodeTable

CPU_SAMPLES = 2**12  # hidden values of so many samples fit into the second-level cache of one core
GPU_SAMPLES = 2**20
FORWARD_BLOCK = 2**16  # samples that are located at once
BACKWARD_BLOCK = 2**17  # samples whose hidden gradients are kept until they are summed into the table
BACKWARD_GPU_BLOCK = 2**19
LARGEST_EXPONENT = 80.0  # exp stays finite in float32; from there on softplus(x) = x

Raw = Float[Tensor, "value sample"]
Weight = Float[Tensor, "value channel"]
Values = Float[Tensor, "value batch sample"]
SecondLayer = tuple[Weight, Float[Tensor, "value"]]


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


def stock_values(rows: AllRows, weight: Weight, bias: Float[Tensor, "value"], places: Places) -> Values:
    """Returns the second layer's output at the samples of each image, block by block, by operations of PyTorch.

    Args:
        rows: Of the table.
        weight: The second layer's weight, as it is applied.
        bias: Its bias.
        places: Of the samples.
    """
    raw = rows.new_empty((len(weight), *places.coordinates.shape[1:]))
    for image, image_rows in enumerate(rows):
        for block in _blocks(places.count, FORWARD_BLOCK if rows.device.type == "cpu" else GPU_SAMPLES):
            decoded = raw[:, image, block]
            for part, activated in _activations(image_rows, places.located(image, block)):
                decoded[:, part] = weight @ activated.t()
    return raw.add_(bias[:, None, None])


def stock_gradients(rows: AllRows, weight: Weight, places: Places, gradient: Values) -> tuple[AllRows, Weight]:
    """Returns the gradients of rows and weight: computes the hidden layer again, and sums its gradient block by block.

    Args:
        rows: Of the table.
        weight: The second layer's weight, as it is applied.
        places: Of the samples.
        gradient: Of the second layer's output.
    """
    total, weight_gradient = torch.zeros_like(rows), torch.zeros_like(weight)
    size = min(BACKWARD_BLOCK if rows.device.type == "cpu" else BACKWARD_GPU_BLOCK, places.count)
    space = rows.new_empty((size, rows.shape[2]))  # one for all blocks: fresh memory costs more than what is written to it
    for image, image_rows in enumerate(rows):
        for block in _blocks(places.count, max(size, 1)):
            location, hidden = places.located(image, block), space[: block.stop - block.start]
            _hidden_gradient(image_rows, weight, gradient[:, image, block], location, SumInto(hidden, weight_gradient))
            add_transposed(total[image], hidden, location)
    return total, weight_gradient


@dataclass(frozen=True)
class SumInto:
    """Where one block's gradients go: the hidden layer's are written, the weight's added."""

    hidden: Looked
    weight: Weight


def _hidden_gradient(rows: Rows, weight: Weight, gradient: Raw, location: Location, results: SumInto) -> None:
    """Computes the gradient before the softplus, and that of the second layer's weight."""
    for part, activated in _activations(rows, location):
        incoming = gradient[:, part]
        results.weight.addmm_(incoming, activated)
        outgoing = torch.mm(incoming.t(), weight, out=results.hidden[part])
        outgoing.addcmul_(outgoing, activated.neg_().exp_(), value=-1)  # the derivative of softplus is 1 - exp(-softplus)


class Decoding(torch.autograd.Function):
    """Differentiable in the table's rows and in the second layer."""

    @staticmethod
    def forward(  # noqa: PLR0917 (autograd's call)
        ctx: Any, rows: AllRows, weight: Weight, bias: Float[Tensor, "value"], places: Places, known: Values | None
    ) -> Values:
        """Evaluates the samples, unless that was done before."""
        ctx.save_for_backward(rows, weight, places.coordinates)
        ctx.pairs, ctx.side = places.pairs, places.side
        if known is not None:
            return known.view_as(known)
        values = compiled.values if compiled.usable(rows) else stock_values
        return values(rows.detach(), weight.detach(), bias.detach(), places)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Values) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Returns the gradients of rows, weight and bias."""
        rows, weight, coordinates = (tensor.detach() for tensor in ctx.saved_tensors)
        gradients = compiled.gradients if compiled.usable(rows) else stock_gradients
        total, weight_gradient = gradients(rows, weight, Places(coordinates, ctx.pairs, ctx.side), gradient)
        return total, weight_gradient, gradient.sum(dim=(1, 2)), None, None


def decode(table: NodeTable, layout: Layout, layers: SecondLayer, coordinates: Coordinates, known: Values | None = None) -> Values:
    """Returns the decoder's output before its last activation.

    Args:
        table: Of `batch` images, the first layer folded in.
        layout: That of the table.
        layers: Weight and bias of the second layer, as they are applied.
        coordinates: Of the samples, as `layout.axes` returns them.
        known: What was found there without gradients; is then only made differentiable.
    """
    raw: Tensor = Decoding.apply(table.rows, *layers, Places(coordinates, layout.pairs, table.side), known)
    return raw
