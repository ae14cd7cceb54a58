"""What follows from the decoder's output at the samples of rays: where to look closer, and the pixels.

On a CPU where Numba is installed compiled loops do it (`compiled_rays.py`), ray by ray; the operations of PyTorch do it everywhere else.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from g3dr.render import compiled, compiled_rays
from g3dr.render.compositing import Samples, SampleValues, as_rendering, composite_samples, compositing_weights, optical_thickness
from g3dr.render.decoder import activate
from g3dr.render.sampling import FEWEST_COARSE, weighted_distances
from g3dr.types import Rendering

Raw = Float[Tensor, "value batch ray sample"]


def fine_distances(densities: Samples, distances: Samples, hit: Bool[Tensor, "batch ray"], quantiles: Samples) -> Samples:
    """Draws distances where the coarse samples are seen.

    Args:
        densities: Raw density of the coarse samples.
        distances: Theirs, ascending, world units.
        hit: The ray meets the box.
        quantiles: Where to read the distribution of the compositing weights, in [0, 1].
    """
    if distances.shape[-1] >= FEWEST_COARSE and compiled.usable(densities):
        return compiled_rays.fine_distances(densities, distances, hit, quantiles)
    weights = compositing_weights(optical_thickness(densities, distances, hit))
    return weighted_distances(distances, weights, quantiles)


def pixels(
    raw: Raw,
    distances: Samples,
    coarse: int,
    hit: Bool[Tensor, "batch ray"],
    regularization_depth: Float[Tensor, "batch ray"] | None = None,
    *,
    white_background: bool = False,
) -> Rendering:
    """Turns the decoder's output at samples in any order into pixels.

    Args:
        raw: Before the last activation: raw density and colour, then semantic channels if there are any.
        distances: Along the ray, world units; nothing differentiates by them.
        coarse: How many of the samples, the first ones, are coarse; they are in order, which saves time.
        hit: The ray meets the box; others show the background, with depth and opacity 0.
        regularization_depth: Known depth of each ray; samples far from it get smaller gradients.
        white_background: White instead of black behind everything.
    """
    if not compiled.usable(raw):
        distances, order = torch.sort(distances, dim=-1, stable=True)
        samples = SampleValues(*activate(raw), order)
        return composite_samples(samples, distances, hit, regularization_depth, white_background=white_background)
    colors, depth, opacity, spread = compiled_rays.CompiledCompositing.apply(raw, distances, coarse, hit, regularization_depth)
    return as_rendering(colors.movedim(0, -1), depth, opacity, spread, white_background=white_background)
