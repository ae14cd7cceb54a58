"""Fine samples and compositing by compiled loops: what `sampling.py` and `compositing.py` compute, on a CPU, where Numba is installed.

Every ray is computed by itself, in one order: results are the same bits whatever the number of threads.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from g3dr.render.compiled import Array, as_array, in_threads, loops, parts, threads_at_most

FEWEST_RAYS = 2**7  # of one task: handing a task out takes as long as a few dozen rays

Samples = Float[Tensor, "batch ray _sample"]
Raw = Float[Tensor, "value batch ray sample"]
PerRay = Float[Tensor, "batch ray"]
Pixels = tuple[Float[Tensor, "color batch ray"], PerRay, PerRay, PerRay]


def _ray_by_ray(task: Any, before: tuple[Any, ...], images: int, rays: int, after: tuple[Any, ...]) -> None:
    """Calls `task` for all rays, on as many threads as PyTorch uses."""
    size = max(FEWEST_RAYS, -(-rays * images // threads_at_most()))
    shares = [(image, *part) for image in range(images) for part in parts(0, rays, size)]
    in_threads(task, [(*before, *share, *after) for share in shares])


def fine_distances(densities: Samples, distances: Samples, hit: Bool[Tensor, "batch ray"], quantiles: Samples) -> Samples:
    """As `sampling.weighted_distances` with the compositing weights of coarse samples.

    Args:
        densities: Raw density.
        distances: Coarse distances, ascending; at least `sampling.FEWEST_COARSE`.
        hit: The ray meets the box.
        quantiles: Where to read the distribution of the weights, in [0, 1].
    """
    fine = np.empty(quantiles.shape, np.float32)
    given = as_array(densities), as_array(distances), as_array(hit.float()), as_array(quantiles)
    images, rays = fine.shape[:2]
    _ray_by_ray(loops("sampling_kernels").draw, given, images, rays, (fine,))
    return torch.from_numpy(fine)


class CompiledCompositing(torch.autograd.Function):
    """Differentiable in the decoder's output."""

    @staticmethod
    def forward(  # noqa: PLR0917 (autograd's call)
        ctx: Any, raw: Raw, distances: Samples, coarse: int, hit: Bool[Tensor, "batch ray"], known: PerRay | None
    ) -> Pixels:
        """Returns sums of colours by their shares, depth, opacity, and the variance of the distances seen: as `composite_samples`."""
        ctx.save_for_backward(raw, distances, hit, *(() if known is None else (known,)))
        ctx.coarse = coarse
        batch, rays = distances.shape[:2]
        pixels = [np.empty(shape, np.float32) for shape in ((len(raw) - 1, batch, rays), *[(batch, rays)] * 3)]
        given = as_array(raw), as_array(distances), coarse, as_array(hit.float())
        _ray_by_ray(loops("compositing_kernels").composite, given, batch, rays, tuple(pixels))
        colors, depth, opacity, spread = (torch.from_numpy(values) for values in pixels)
        return colors, depth, opacity, spread

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        """Returns the gradient of the decoder's output."""
        raw, distances, hit, *known = ctx.saved_tensors
        batch, rays = distances.shape[:2]
        outgoing: Array = np.empty(raw.shape, np.float32)
        depths = as_array(known[0]) if known else np.empty((batch, 0), np.float32)
        given = as_array(raw), as_array(distances), ctx.coarse, as_array(hit.float()), depths
        _ray_by_ray(loops("compositing_kernels").composite_back, given, batch, rays, (*map(as_array, gradients), outgoing))
        return torch.from_numpy(outgoing), None, None, None, None
