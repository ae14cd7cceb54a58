"""How different two pictures look to a network: LPIPS [Zhang et al., 2018] where its weights are, else a stand-in by its own name."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from g3dr.backbones import load_perceptual
from g3dr.backbones.places import Place
from g3dr.backbones.protocols import StageBackbone
from g3dr.errors import DataError, WeightsMissingError
from g3dr.losses.semantic import deep_feature_distance_per_image
from g3dr.metrics.naming import LPIPS_NETWORK

LPIPS_SIDE = 16


def perceptual_network(device: str | torch.device = "cpu") -> StageBackbone:
    """Loads VGG-16 with LPIPS' calibration where its weights are, else EfficientNet-Lite0, whose weights a package brings.

    Its `name` and `sha256` belong into every record: `perceptual_key` turns the name into the metric's.

    Raises:
        WeightsMissingError: G3DR_WEIGHTS_VGG16 names a file that is not there; then no stand-in takes its place.
        CheckpointError: A weights file is damaged.
    """
    try:
        return load_perceptual("lpips_vgg16", str(device))
    except WeightsMissingError:
        if Place.of("vgg16") is not None:
            raise
        return load_perceptual("efficientnet_lite0", str(device))


@torch.no_grad()
def perceptual_distance(
    network: StageBackbone,
    prediction: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    mask: Bool[Tensor, "batch 1 height width"] | None = None,
) -> Float[Tensor, "batch"]:
    """Squared distance of the unit-length features of each image, summed over stages; 0 or more, lower is better.

    Args:
        network: Gives the stages' features; the value is LPIPS if it is `lpips-vgg16`.
        prediction: Rendered colours; clamped to [-1, 1] first.
        target: True colours.
        mask: True where a pixel counts; None keeps all. Elsewhere the prediction takes the target's pixels, and a position of a
            stage counts by the share of its pixels that are kept.

    Returns:
        NaN where no pixel is kept.

    Raises:
        DataError: The pictures are smaller than the 16 x 16 pixels that VGG-16 halves four times.
    """
    if network.name == LPIPS_NETWORK and min(target.shape[-2:]) < LPIPS_SIDE:
        raise DataError(
            f"LPIPS needs pictures of at least {LPIPS_SIDE} x {LPIPS_SIDE} pixels, got {target.shape[-2]} x {target.shape[-1]}."
        )
    if mask is None:
        return deep_feature_distance_per_image(network, "l2", prediction.clamp(-1, 1), target)
    shown = torch.where(mask, prediction.clamp(-1, 1), target)
    stages = zip(network.stage_features(shown), network.stage_features(target), strict=True)
    return torch.stack([_kept_mean((found - wanted).square().sum(dim=1, keepdim=True), mask) for found, wanted in stages]).sum(dim=0)


def _kept_mean(distances: Tensor, mask: Tensor) -> Tensor:
    shares = functional.adaptive_avg_pool2d(mask.to(distances.dtype), (distances.shape[-2], distances.shape[-1]))
    return (distances * shares).sum(dim=(1, 2, 3)) / shares.sum(dim=(1, 2, 3))
