"""Convolutions by minimal filtering algorithms (`g3dr.unet.filtering`), forwards and backwards, in stock PyTorch.

Windows of the input are transformed by one matrix product, multiplied with transformed filters by a batch of them, and transformed
to tiles of the output by a third. Worth it where matrix products are fast and channels are many: on a CPU in float32. Everything
goes in parts that stay in the cache; the backward pass transforms the input again, so that it keeps what an ordinary convolution
keeps. Sums are always taken in the same order: the same bits on every run.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from g3dr.unet.filtering import Filtering

PART_BYTES = 2**22  # of windows at a time, at least: what follows then finds them in the cache
FILTERS_PER_PART = 2  # filters are read once for every part, so parts are at least this fraction of them

Maps = Float[Tensor, "_batch _channel _height _width"]
Weight = Float[Tensor, "_output _input _taps _taps"]
Filters = Float[Tensor, "product _output _input"]
Windows = Float[Tensor, "window window _batch _row _column _input"]
Tiles = Float[Tensor, "tile tile _batch _row _column _output"]


def transformed_filters(weight: Weight, filtering: Filtering) -> Filters:
    """Returns filters as `convolve` wants them."""
    return (filtering.from_filter @ weight.reshape(-1, filtering.taps**2).t()).view(-1, *weight.shape[:2])


def kept_filters(weight: Weight, filtering: Filtering) -> Filters:
    """Returns the same in the order of memory in which `convolve` is fastest, for filters that serve more than once."""
    return transformed_filters(weight, filtering).transpose(1, 2).contiguous().transpose(1, 2)


def convolve(features: Maps, filters: Filters, bias: Float[Tensor, "_output"] | None, filtering: Filtering) -> Maps:
    """Convolves, a border of zeros around the input.

    Args:
        features: Float32 on the CPU, height and width divisible by the stride of `filtering`; fastest with channels last in memory.
        filters: Of `transformed_filters`.
        bias: Added to each channel.
        filtering: The algorithm.
    """
    windows = _windows(_padded(features, filtering), filtering)
    result = _empty_map(windows, filters.shape[1], filtering)
    tiles = _tiles(result, filtering)
    for images, rows in _parts(windows, filters):
        products = torch.bmm(_transformed(windows[:, :, images, rows], filtering.from_window), filters.transpose(1, 2))
        part = tiles[:, :, images, rows]
        values = (filtering.to_tile @ products.flatten(1)).view(part.shape)
        part.copy_(values if bias is None else values.add_(bias))
    return result


def convolved(features: Maps, weight: Weight, bias: Float[Tensor, "_output"] | None, filtering: Filtering) -> Maps:
    """Convolves like `convolve`, with filters as they are; differentiable, once."""
    result: Tensor = _Convolved.apply(features, weight, bias, filtering)
    return result


class _Convolved(torch.autograd.Function):
    """Keeps the input and the filters, nothing that was transformed."""

    @staticmethod
    def forward(ctx: Any, features: Maps, weight: Weight, bias: Float[Tensor, "_output"] | None, filtering: Filtering) -> Maps:
        """Convolves."""
        ctx.save_for_backward(features, weight)
        ctx.filtering = filtering
        return convolve(features, transformed_filters(weight, filtering), bias, filtering)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Maps) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        """Goes through the three products backwards, part by part."""
        features, weight = ctx.saved_tensors
        of_features, of_weight = _gradients(features.detach(), weight.detach(), gradient, ctx.filtering, ctx.needs_input_grad[:2])
        return of_features, of_weight, gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None, None


def _gradients(
    features: Maps, weight: Weight, gradient: Maps, filtering: Filtering, needed: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Returns the gradients of input and filters as far as they are needed."""
    padded = _padded(features, filtering)
    windows, tiles = _windows(padded, filtering), _tiles(gradient, filtering)
    of_padded = torch.zeros_like(padded) if needed[0] else None
    filters, of_filters = transformed_filters(weight, filtering), None
    for images, rows in _parts(windows, filters):
        of_products = _transformed(tiles[:, :, images, rows], filtering.to_tile.t())
        if needed[1]:
            transformed = _transformed(windows[:, :, images, rows], filtering.from_window)
            of_filters = _product_added(of_filters, of_products.transpose(1, 2), transformed)
        if of_padded is not None:
            of_windows = filtering.from_window.t() @ torch.bmm(of_products, filters).flatten(1)
            _add_windows(_windows(of_padded, filtering)[:, :, images, rows], of_windows)
    of_features = None if of_padded is None else _without_border(of_padded, filtering)
    return of_features, None if of_filters is None else (of_filters.flatten(1).t() @ filtering.from_filter).view_as(weight)


def _product_added(
    total: Filters | None, one: Float[Tensor, "product _output tile"], other: Float[Tensor, "product tile _input"]
) -> Filters:
    """Returns the product, added to the total in its memory if there is one."""
    return torch.bmm(one, other) if total is None else total.baddbmm_(one, other)


def _add_windows(windows: Windows, values: Float[Tensor, "window_pixels rest"]) -> None:
    """Adds to windows that overlap, one pixel of all of them at a time."""
    size = len(windows)
    for pixel, value in enumerate(values):
        target = windows[pixel // size, pixel % size]
        target += value.view(target.shape)


def _padded(features: Maps, filtering: Filtering) -> Float[Tensor, "_batch _height _width _channel"]:
    """Returns the features with channels last and a border of zeros; only the border is written twice."""
    (batch, channels, height, width), border = features.shape, filtering.taps // 2
    padded = features.new_empty(batch, height + 2 * border, width + 2 * border, channels)
    for axis in (1, 2):
        padded.narrow(axis, 0, border).zero_()
        padded.narrow(axis, -border, border).zero_()
    padded[:, border:-border, border:-border] = features.permute(0, 2, 3, 1)
    return padded


def _without_border(padded: Float[Tensor, "_batch _height _width _channel"], filtering: Filtering) -> Maps:
    border = filtering.taps // 2
    return padded[:, border:-border, border:-border].contiguous().permute(0, 3, 1, 2)


def _windows(padded: Float[Tensor, "_batch _height _width _channel"], filtering: Filtering) -> Windows:
    """Returns a view of all windows."""
    size, stride = filtering.window, filtering.stride
    return padded.unfold(1, size, stride).unfold(2, size, stride).permute(4, 5, 0, 1, 2, 3)


def _tiles(maps: Maps, filtering: Filtering) -> Tiles:
    """Returns all tiles, a view where channels lie last."""
    size, (height, width) = filtering.tile, maps.shape[2:]
    last = maps.permute(0, 2, 3, 1).contiguous()
    return last.view(len(last), height // size, size, width // size, size, -1).permute(2, 4, 0, 1, 3, 5)


def _empty_map(windows: Windows, channels: int, filtering: Filtering) -> Maps:
    _, _, batch, rows, columns, _ = windows.shape
    last = windows.new_empty(batch, rows * filtering.tile, columns * filtering.tile, channels)
    return last.permute(0, 3, 1, 2)


def _transformed(
    pixels: Float[Tensor, "side side _image _row _column _channel"], matrix: Float[Tensor, "product pixel"]
) -> Float[Tensor, "product tile _channel"]:
    return (matrix @ pixels.reshape(matrix.shape[1], -1)).view(len(matrix), -1, pixels.shape[-1])


def _parts(windows: Windows, filters: Filters) -> Iterator[tuple[slice, slice]]:
    """Yields images and rows of windows: several whole images at a time, or several rows of one."""
    batch, rows = windows.shape[2:4]
    limit, row_bytes = max(PART_BYTES, filters.nbytes // FILTERS_PER_PART), windows[:, :, 0, 0].nbytes
    some_images, some_rows = max(1, limit // (row_bytes * rows)), max(1, limit // row_bytes)
    for image in range(0, batch, some_images):
        for row in range(0, rows, some_rows):
            yield slice(image, image + some_images), slice(row, row + some_rows)
