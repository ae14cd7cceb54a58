"""Part pictures: what a model takes for the same kind of thing gets the same colour."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float, UInt8
from torch import Tensor

COLORS = 3
OUTLIERS = 0.02  # share of the pixels at either end whose colour is cut off, so that a few do not flatten the rest


def part_pictures(
    semantics: Sequence[Float[Tensor, "semantic _height _width"]],
) -> list[UInt8[Tensor, "_height _width 3"]]:
    """Colours semantic vectors by their first three principal components over all of the pictures together.

    Only directions count, not lengths: an opaque and a thin part of the same kind look alike. A component's sign is chosen so
    that the same vectors always give the same colours; with fewer than three channels the missing colours are grey.

    Args:
        semantics: Rendered semantic channels; the pictures may differ in size.
    """
    vectors = [F.normalize(picture.double().flatten(1), dim=0).T for picture in semantics]
    together = torch.cat(vectors)
    center, axes = together.mean(dim=0), _principal_axes(together)
    low, high = (torch.quantile((together - center) @ axes, share, dim=0) for share in (OUTLIERS, 1 - OUTLIERS))
    shades = [((vector - center) @ axes - low) / (high - low).clamp(min=1e-6) for vector in vectors]
    grey = torch.full((1, COLORS - axes.shape[1]), 0.5, dtype=torch.float64)
    colors = [torch.cat([shade, grey.expand(len(shade), -1)], dim=1).clamp(0, 1) for shade in shades]
    return [
        (color * 255).round().to(torch.uint8).reshape(*picture.shape[1:], COLORS) for color, picture in zip(colors, semantics, strict=True)
    ]


def _principal_axes(vectors: Float[Tensor, "pixel semantic"]) -> Float[Tensor, "semantic axis"]:
    """Returns up to three orthonormal columns, the direction of largest variance first."""
    centered = vectors - vectors.mean(dim=0)
    axes = torch.linalg.eigh(centered.T @ centered).eigenvectors.flip(1)[:, :COLORS]
    largest = axes.abs().argmax(dim=0)
    upright: Tensor = axes * axes[largest, torch.arange(axes.shape[1])].sign()
    return upright
