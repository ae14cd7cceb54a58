"""Picture quality where the true picture is known. Colours are RGB in [-1, 1]; the peak range is 2."""

from functools import cache

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
    prediction: Float[Tensor, "#batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    mask: Bool[Tensor, "batch 1 height width"] | None = None,
) -> Float[Tensor, "batch"]:
    """Peak signal-to-noise ratio of each image, decibels, higher is better.

    Args:
        prediction: Rendered colours; clamped to [-1, 1] first, as they would be for saving. One picture is compared with every target.
        target: True colours.
        mask: True where a pixel counts; None keeps all.

    Returns:
        At most 100 (equal pictures would give infinity, which no mean survives); NaN where no pixel is kept.
    """
    error = masked_mean((prediction.clamp(-1, 1) - target).square(), mask)
    lowest = 4 / 10 ** (HIGHEST_PSNR / 10)
    return 10 * torch.log10(4 / error.clamp(min=lowest))


@cache
@torch.inference_mode(mode=False)  # what is kept may be met by a gradient later
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


class SimilarityTo:
    """Structural similarity to the same targets [Wang et al., 2004], of which is kept what every comparison needs.

    Colours are brought to [0, 1], the window is Gaussian, 11 x 11 with deviation 1.5; borders are reflected, and the mean
    is over channels and pixels: torchmetrics' reading of the publication.

    Args:
        target: True colours.

    Raises:
        DataError: The pictures are smaller than 6 x 6, where borders cannot be reflected.
    """

    def __init__(self, target: Float[Tensor, "batch 3 height width"]) -> None:
        if min(target.shape[-2:]) <= WINDOW_SIZE // 2:
            raise DataError(f"SSIM needs pictures of at least 6 x 6 pixels, got {target.shape[-2]} x {target.shape[-1]}.")
        self._target = (target.double() + 1) / 2
        self._mean, self._power = _window_means(self._target), _window_means(self._target.square())

    def of(
        self, prediction: Float[Tensor, "#batch 3 height width"], mask: Bool[Tensor, "batch 1 height width"] | None = None
    ) -> Float[Tensor, "batch"]:
        """Returns the similarity of each image, at most 1, higher is better.

        Args:
            prediction: Rendered colours; clamped to [-1, 1] first. One picture is compared with every target.
            mask: True where a pixel counts (its window may reach beyond the mask); None keeps all.
        """
        return masked_mean(self._around_each_pixel((prediction.double().clamp(-1, 1) + 1) / 2), mask)

    def _around_each_pixel(self, shown: Tensor) -> Tensor:
        mean, power = _window_means(shown), _window_means(shown.square())
        product, squares = mean * self._mean, mean.square() + self._mean.square()
        variances, covariance = power + self._power - squares, _window_means(shown * self._target) - product
        return (2 * product + SSIM_SMALL) * (2 * covariance + SSIM_LARGE) / ((squares + SSIM_SMALL) * (variances + SSIM_LARGE))


def ssim(
    prediction: Float[Tensor, "#batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    mask: Bool[Tensor, "batch 1 height width"] | None = None,
) -> Float[Tensor, "batch"]:
    """Returns the structural similarity of each image to its target: `SimilarityTo`, whose arguments these are."""
    return SimilarityTo(target).of(prediction, mask)
