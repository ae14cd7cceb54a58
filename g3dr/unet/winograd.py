"""3x3 convolutions by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray 2016): 16 products where there were 36.

Worth it where filters are constant, so that they are transformed once, and where a matrix product is fast: on a CPU in float32.
All factors are 0, 1, -1 and 1/2, so the result is as accurate as that of the direct convolution.
"""

import torch
from jaxtyping import Float
from torch import Tensor

TILE = 2  # pixels of the output that one tile gives, along each axis
WINDOW = 4  # pixels of the input that it reads
CHUNK_BYTES = 2**20  # of transformed input at a time, at least: what follows then finds it in the cache
FILTERS_PER_CHUNK = 8  # filters are read once for every chunk, so chunks are at least this fraction of them

Filters = Float[Tensor, "16 inputs outputs"]


def _both_axes(*rows: tuple[float, ...]) -> Float[Tensor, "to from"]:
    """Returns the matrix that transforms flattened tiles along rows and columns."""
    one = torch.tensor(rows, device="cpu")
    return torch.kron(one, one)


_INPUT = _both_axes((1.0, 0.0, -1.0, 0.0), (0.0, 1.0, 1.0, 0.0), (0.0, -1.0, 1.0, 0.0), (0.0, 1.0, 0.0, -1.0))
_FILTER = _both_axes((1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.0, 0.0, 1.0))
_OUTPUT = _both_axes((1.0, 1.0, 1.0, 0.0), (0.0, 1.0, -1.0, -1.0))


def transformed_filters(weight: Float[Tensor, "outputs inputs 3 3"]) -> Filters:
    """Returns filters as `convolve` wants them; 16/9 of their size."""
    return torch.einsum("tk,oik->tio", _FILTER, weight.flatten(2)).contiguous()


def convolve(
    features: Float[Tensor, "batch inputs height width"], filters: Filters, bias: Float[Tensor, "outputs"] | None
) -> Float[Tensor, "batch outputs height width"]:
    """Convolves with 3x3 filters, a border of zeros around the input.

    Args:
        features: Float32 on the CPU, of even height and width, fastest with the channels last in memory.
        filters: Of `transformed_filters`.
        bias: Added to each channel.
    """
    batch, _, height, width = features.shape
    windows = _padded(features).unfold(1, WINDOW, TILE).unfold(2, WINDOW, TILE).permute(4, 5, 0, 1, 2, 3)
    result = features.new_empty(batch, height // TILE, TILE, width // TILE, TILE, filters.shape[2])
    chunk = max(CHUNK_BYTES, filters.nbytes // FILTERS_PER_CHUNK)
    step = max(1, chunk // (windows[:, :, 0, 0].numel() * features.element_size()))
    for image in range(batch):
        for row in range(0, height // TILE, step):
            rows = slice(row, row + step)
            result[image, rows] = _tiles(windows[:, :, image, rows], filters, bias)
    return result.reshape(batch, height, width, -1).permute(0, 3, 1, 2)


def _padded(features: Float[Tensor, "batch inputs height width"]) -> Float[Tensor, "batch _height _width inputs"]:
    """Returns the features with channels last and a border of zeros; only the border is written twice."""
    batch, inputs, height, width = features.shape
    padded = features.new_empty(batch, height + 2, width + 2, inputs)
    for axis in (1, 2):
        padded.select(axis, 0).zero_()
        padded.select(axis, -1).zero_()
    padded[:, 1:-1, 1:-1] = features.permute(0, 2, 3, 1)
    return padded


def _tiles(
    windows: Float[Tensor, "4 4 row column inputs"], filters: Filters, bias: Float[Tensor, "outputs"] | None
) -> Float[Tensor, "row 2 column 2 outputs"]:
    _, _, rows, columns, inputs = windows.shape
    transformed = (_INPUT @ windows.reshape(WINDOW**2, -1)).reshape(WINDOW**2, -1, inputs)
    products = torch.bmm(transformed, filters).reshape(WINDOW**2, -1)
    tiles = (_OUTPUT @ products).reshape(TILE, TILE, rows, columns, -1)
    return (tiles if bias is None else tiles.add_(bias)).permute(2, 0, 3, 1, 4)
