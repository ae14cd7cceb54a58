"""Terms that look through a frozen network: image embeddings and deep features.

The prediction's gradient flows through the network; the target's side carries none.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.backbones.protocols import EmbeddingBackbone, StageBackbone
from g3dr.config import LossForm
from g3dr.losses.forms import compare, compare_per_image
from g3dr.losses.targets import Recall, look_again


def embedding_distance(
    backbone: EmbeddingBackbone,
    form: LossForm,
    prediction: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 target_height target_width"],
    *,
    recall: Recall = look_again,
) -> Float[Tensor, ""]:
    """Compares the image embeddings of rendered and given pictures, both RGB in [-1, 1] and of any size.

    Args:
        backbone: Gives the embeddings.
        form: How they are compared.
        prediction: The rendered pictures.
        target: The given pictures.
        recall: Finds what is known of the given pictures.
    """
    return compare(form, *embeddings(backbone, prediction, target, recall=recall))


def embeddings(
    backbone: EmbeddingBackbone,
    prediction: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 target_height target_width"],
    *,
    recall: Recall = look_again,
) -> tuple[Float[Tensor, "batch feature"], Float[Tensor, "batch feature"]]:
    """Returns what `embedding_distance` compares: embeddings of the rendered pictures, with gradient, and of the given ones, without."""
    (wanted,) = recall("embedding", target, lambda pictures: [backbone.embed(pictures)])
    return backbone.embed(prediction), wanted


def _stage_distance(form: LossForm, prediction: Tensor, target: Tensor) -> Tensor:
    distance = compare_per_image(form, prediction, target)
    # LPIPS sums over channels and averages over positions; a cosine has no such scale.
    return distance if form == "cosine" else distance * prediction.shape[1]


def deep_feature_distance_per_image(
    backbone: StageBackbone,
    form: LossForm,
    prediction: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    deepest: int | None = None,
    *,
    recall: Recall = look_again,
) -> Float[Tensor, "batch"]:
    """Sums over stages the distance of unit-normalised features; with `l2` and VGG-16 this is LPIPS.

    Args:
        backbone: Gives the stages' features.
        form: How features are compared.
        prediction: RGB in [-1, 1].
        target: RGB in [-1, 1], of the same size.
        deepest: Use only that many of the deepest stages, which say what is seen rather than where; all if None.
        recall: Finds what is known of the target.
    """
    kind = f"stages {deepest or 'all'} at {tuple(target.shape[-2:])}"
    wanted = recall(kind, target, lambda pictures: backbone.stage_features(pictures, deepest))
    return stages_distance(form, backbone.stage_features(prediction, deepest), wanted)


def stages_distance(
    form: LossForm,
    prediction: Sequence[Float[Tensor, "batch _feature _height _width"]],
    target: Sequence[Float[Tensor, "batch _feature _height _width"]],
) -> Float[Tensor, "batch"]:
    """Returns the distance of `deep_feature_distance_per_image` for features that are there already."""
    return torch.stack([_stage_distance(form, *pair) for pair in zip(prediction, target, strict=True)]).sum(dim=0)


def deep_feature_distance(
    backbone: StageBackbone,
    form: LossForm,
    prediction: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    deepest: int | None = None,
    *,
    recall: Recall = look_again,
) -> Float[Tensor, ""]:
    """Returns the mean over images of `deep_feature_distance_per_image`."""
    return deep_feature_distance_per_image(backbone, form, prediction, target, deepest, recall=recall).mean()
