"""The terms of the objective as they are, not as they were weighted: on held-out images, each in every form.

Trainings that minimised different forms can only be compared in one form that all of them are measured in.
"""

from collections.abc import Mapping
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.backbones.protocols import Backbones, EmbeddingBackbone, StageBackbone
from g3dr.config import LossForm
from g3dr.losses.forms import compare, compare_in_all_forms
from g3dr.losses.pixels import total_variation
from g3dr.losses.semantic import stages_distance
from g3dr.types import Batch, Frames

FORMS: tuple[LossForm, ...] = get_args(LossForm)


def semantic_term(network: EmbeddingBackbone) -> str:
    """Returns what the embedding term is called in names of metrics: `clip`, or `embedding` where another network stands in."""
    return "clip" if network.name.startswith("clip") else "embedding"


def perceptual_term(network: StageBackbone) -> str:
    """Returns what the deep-feature term is called in names of metrics: `lpips`, or `perceptual` where another network stands in."""
    return "lpips" if network.name.startswith("lpips") else "perceptual"


@torch.inference_mode()
def objective_values(canonical: Frames, novel: Frames, batch: Batch, networks: Backbones) -> dict[str, float]:
    """Measures one object in the terms of the training objective.

    Args:
        canonical: The rendered input view.
        novel: Rendered views from elsewhere.
        batch: The object's input image and depth.
        networks: The frozen networks of the objective; a term without one is left out.

    Returns:
        `loss_<term>_<form>`: `rgb` and `depth` compare the input view with the input, `perceptual` (or `lpips`) likewise by all of the
        network's stages, `embedding` (or `clip`) compares each view from elsewhere with the input image, as training does, mean over
        views; `loss_tv_l1` and `loss_tv_l2` are the total variation of the depth of the views from elsewhere.
    """
    found: dict[str, Mapping[LossForm, Tensor]] = {
        "rgb": compare_in_all_forms(canonical.rgb, batch.images),
        "depth": compare_in_all_forms(canonical.depth, batch.depths),
    }
    if networks.semantic is not None:
        found[semantic_term(networks.semantic)] = _embedding_values(networks.semantic, novel.rgb, batch.images)
    if networks.perceptual is not None:
        found[perceptual_term(networks.perceptual)] = _stage_values(networks.perceptual, canonical.rgb, batch.images)
    found["tv"] = {"l1": total_variation(novel.depth, "l1"), "l2": total_variation(novel.depth, "l2")}
    return {f"loss_{term}_{form}": float(value) for term, forms in found.items() for form, value in forms.items()}


def _embedding_values(
    network: EmbeddingBackbone, views: Float[Tensor, "view 3 height width"], images: Float[Tensor, "1 3 height width"]
) -> Mapping[LossForm, Tensor]:
    seen = network.embed(torch.cat([views, images]))
    return {form: compare(form, seen[:-1], seen[-1:].expand_as(seen[:-1])) for form in FORMS}


def _stage_values(
    network: StageBackbone, pictures: Float[Tensor, "1 3 height width"], images: Float[Tensor, "1 3 height width"]
) -> Mapping[LossForm, Tensor]:
    stages = network.stage_features(torch.cat([pictures, images]))
    return {form: stages_distance(form, [stage[:1] for stage in stages], [stage[1:] for stage in stages]).mean() for form in FORMS}
