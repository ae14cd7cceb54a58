"""Picture quality where the true picture is known. Colours are RGB in [-1, 1]; the peak range is 2."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from g3dr.backbones.protocols import StageBackbone
from g3dr.errors import DataError
from g3dr.losses.semantic import deep_feature_distance_per_image
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


def _window(channels: int, device: torch.device) -> Tensor:
    offsets = torch.arange(WINDOW_SIZE, dtype=torch.float64, device=device) - WINDOW_SIZE // 2
    profile = torch.exp(-((offsets / WINDOW_DEVIATION) ** 2) / 2)
    profile = profile / profile.sum()
    return torch.outer(profile, profile).expand(channels, 1, -1, -1)


def _window_means(values: Tensor) -> Tensor:
    reach = WINDOW_SIZE // 2
    padded = functional.pad(values, (reach, reach, reach, reach), mode="reflect")
    return functional.conv2d(padded, _window(values.shape[1], values.device), groups=values.shape[1])


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


@torch.no_grad()
def perceptual_distance(
    backbone: StageBackbone, prediction: Float[Tensor, "batch 3 height width"], target: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch"]:
    """Squared distance of deep features of each image, lower is better; LPIPS if the network is `lpips-vgg16`."""
    return deep_feature_distance_per_image(backbone, "l2", prediction.clamp(-1, 1), target)
