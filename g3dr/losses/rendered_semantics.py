"""What rendered semantics are compared with: a frozen network's features at every pixel, brought to a few channels.

The features of all stages, enlarged to the picture's size, are multiplied by a fixed random matrix with orthonormal columns:
the same for every run, and nothing that a checkpoint would have to carry.
"""

from functools import cache

import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from jaxtyping import Float
from torch import Tensor

from g3dr.backbones.protocols import StageBackbone
from g3dr.config import LossForm
from g3dr.errors import ConfigError
from g3dr.losses.forms import compare
from g3dr.losses.targets import Recall, look_again

PROJECTION_SEED = 0
SOFTENING = 0.1
"""Length below which a prediction's direction counts less: a head that starts as zeros would have an infinite gradient otherwise."""


@cache
def projection(features: int, channels: int) -> Float[Tensor, "channels features"]:
    """Returns orthonormal rows in random directions, the same in every process.

    Raises:
        ConfigError: More channels than features.
    """
    if channels > features:
        raise ConfigError("model.conditioning.semantic_channels", channels, f"at most {features}, the features of the network")
    generator = torch.Generator().manual_seed(PROJECTION_SEED)
    with torch.inference_mode(mode=False):
        directions: Tensor = torch.linalg.qr(torch.randn(features, channels, generator=generator, dtype=torch.float64))[0]
        return directions.T.float()


def semantic_target(
    backbone: StageBackbone, images: Float[Tensor, "batch 3 height width"], channels: int, recall: Recall = look_again
) -> Float[Tensor, "batch channels height width"]:
    """Returns vectors of length 1 at every pixel that say what is seen there, without a gradient.

    Args:
        backbone: A frozen network.
        images: RGB in [-1, 1].
        channels: Length of the vectors.
        recall: Finds what is known of the images.

    Raises:
        ConfigError: More channels than the network has features.
    """
    with torch.autocast(images.device.type, enabled=False):
        return recall("semantics", images, lambda some: [_look(backbone, some, channels)])[0]


def _look(backbone: StageBackbone, images: Tensor, channels: int) -> Tensor:
    stages = backbone.stage_features(images)
    widths = [stage.shape[1] for stage in stages]
    # The projection commutes with resizing, so the deep stages are projected while they are small.
    parts = torch.split(projection(sum(widths), channels).to(images.device), widths, dim=1)
    small = [torch.einsum("cf,bfhw->bchw", part, stage) for part, stage in zip(parts, stages, strict=True)]
    return F.normalize(torch.stack([_resized(stage, images.shape[-1]) for stage in small]).sum(dim=0), dim=1)


def _resized(stage: Tensor, side: int) -> Tensor:
    shrinks = stage.shape[-1] > side
    return F.interpolate(stage, (side, side), mode="bilinear", align_corners=False, antialias=shrinks)


def semantic_distance(
    form: LossForm, prediction: Float[Tensor, "batch *axes channel"], target: Float[Tensor, "batch *axes channel"]
) -> Float[Tensor, ""]:
    """Compares semantic vectors one by one, and averages.

    `cosine` is one minus the cosine similarity with the prediction's length taken as sqrt(length^2 + 0.1^2), so 1 for zeros.

    Args:
        form: How two vectors are compared.
        prediction: Rendered vectors, of any length.
        target: Vectors of a frozen network.
    """
    if form != "cosine":
        return compare(form, prediction.flatten(0, -2), target.flatten(0, -2))
    length = (prediction.square().sum(dim=-1) + SOFTENING**2).sqrt()
    return (1 - (prediction * F.normalize(target, dim=-1)).sum(dim=-1) / length).mean()
