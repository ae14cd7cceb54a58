"""Picture quality where the true picture is known. Colours are RGB in [-1, 1]; the peak range is 2."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from g3dr.errors import DataError
from g3dr.metrics.masks import masked_mean

HIGHEST_PSNR = 100.0
WINDOW_SIZE = 11
WINDOW_DEVIATION = 1.5
SSIM_SMALL, SSIM_LARGE = 0.01**2, 0.03**2


def psnr(
    prediction: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    mask: Bool[Tensor, "batch 1 height width"] | None = None,
) -> Float[Tensor, "batch"]:
    """Peak signal-to-noise ratio of each image, decibels, higher is better.

    Args:
        prediction: Rendered colours; clamped to [-1, 1] first, as they would be for saving.
        target: True colours.
        mask: True where a pixel counts; None keeps all.

    Returns:
        At most 100 (equal pictures would give infinity, which no mean survives); NaN where no pixel is kept.
    """
    error = masked_mean((prediction.clamp(-1, 1) - target).square(), mask)
    lowest = 4 / 10 ** (HIGHEST_PSNR / 10)
    return 10 * torch.log10(4 / error.clamp(min=lowest))


def _window(side: int, device: torch.device) -> Float[Tensor, "side side"]:
    """Returns the matrix that takes means along one axis; its rows hold the Gaussian, folded back at the borders."""
    offsets = torch.arange(WINDOW_SIZE, dtype=torch.float64, device=device) - WINDOW_SIZE // 2
    profile = torch.exp(-((offsets / WINDOW_DEVIATION) ** 2) / 2)
    unit = torch.eye(side, dtype=torch.float64, device=device)[:, None]
    padded = functional.pad(unit, (WINDOW_SIZE // 2, WINDOW_SIZE // 2), mode="reflect")
    return functional.conv1d(padded, (profile / profile.sum())[None, None])[:, 0].t()


def _window_means(values: Tensor) -> Tensor:
    # The Gaussian of two axes is the product of two: a matrix product for each takes a twentieth of a convolution's time.
    height, width = values.shape[-2:]
    means: Tensor = _window(height, values.device) @ values @ _window(width, values.device).t()
    return means


def _similarity_map(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity around each pixel of colours in [0, 1]."""
    mean_first, mean_second = _window_means(first), _window_means(second)
    product, squares = mean_first * mean_second, mean_first.square() + mean_second.square()
    variances = _window_means(first * first) + _window_means(second * second) - squares
    covariance = _window_means(first * second) - product
    return (2 * product + SSIM_SMALL) * (2 * covariance + SSIM_LARGE) / ((squares + SSIM_SMALL) * (variances + SSIM_LARGE))


def ssim(
    prediction: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    mask: Bool[Tensor, "batch 1 height width"] | None = None,
) -> Float[Tensor, "batch"]:
    """Structural similarity of each image, at most 1, higher is better [Wang et al., 2004].

    Colours are brought to [0, 1], the window is Gaussian, 11 x 11 with deviation 1.5; borders are reflected, and the mean
    is over channels and pixels: torchmetrics' reading of the publication.

    Args:
        prediction: Rendered colours; clamped to [-1, 1] first.
        target: True colours.
        mask: True where a pixel counts (its window may reach beyond the mask); None keeps all.

    Raises:
        DataError: The pictures are smaller than 6 x 6, where borders cannot be reflected.
    """
    if min(target.shape[-2:]) <= WINDOW_SIZE // 2:
        raise DataError(f"SSIM needs pictures of at least 6 x 6 pixels, got {target.shape[-2]} x {target.shape[-1]}.")
    first, second = (prediction.double().clamp(-1, 1) + 1) / 2, (target.double() + 1) / 2
    return masked_mean(_similarity_map(first, second), mask)
