"""Frozen networks for measuring time and memory where their weights are missing: the right shape, random weights."""

import logging
from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from g3dr.backbones import Backbones, EmbeddingBackbone, StageBackbone, load_perceptual, load_semantic
from g3dr.backbones.clip import clip_input
from g3dr.backbones.lpips import STAGE_WIDTHS, LpipsVgg16
from g3dr.config import LossTerm, ObjectiveConfig
from g3dr.errors import WeightsMissingError

SUFFIX = " with random weights"


class UntrainedClip(nn.Module):
    """The image half of CLIP ViT-B/16 without its knowledge."""

    name = "clip-vit-b16" + SUFFIX
    sha256 = ""

    def __init__(self) -> None:
        super().__init__()
        import open_clip  # noqa: PLC0415 (slow to import)

        logging.disable(logging.WARNING)  # it warns that there are no weights, which is the point
        try:
            model: Any = open_clip.create_model("ViT-B-16", pretrained=None, force_quick_gelu=True)
        finally:
            logging.disable(logging.NOTSET)
        self.visual = model.visual

    def embed(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch feature"]:
        """Returns an embedding that means nothing."""
        embedding: Tensor = self.visual(clip_input(images))
        return embedding


def untrained_vgg() -> LpipsVgg16:
    """Returns VGG-16 without its knowledge; every channel counts."""
    from torchvision.models.vgg import cfgs, make_layers  # noqa: PLC0415 (slow to import)

    layers = make_layers(cfgs["D"])[:-1]  # LPIPS has no use for the last pooling
    network = LpipsVgg16(layers, [torch.ones(widths[-1]) for widths in STAGE_WIDTHS], "")
    network.name += SUFFIX
    return network


def backbones_or_untrained(objective: ObjectiveConfig, device: torch.device, *, allow_random: bool) -> Backbones:
    """Loads what an objective needs; with `allow_random` networks without weights stand in for those whose weights are missing.

    Raises:
        WeightsMissingError: Weights are missing and `allow_random` is off.
    """

    def load(term: LossTerm, loader: Callable[[str], object], untrained: Callable[[], nn.Module]) -> Any:
        return _load(loader, untrained, device, allow_random=allow_random) if term.weight > 0 else None

    def perceptual(name: Any) -> Callable[[str], object]:
        return lambda where: load_perceptual(name, where)

    return Backbones(
        semantic=cast(
            "EmbeddingBackbone | None", load(objective.clip, lambda where: load_semantic(objective.clip_backbone, where), UntrainedClip)
        ),
        perceptual=cast("StageBackbone | None", load(objective.perceptual, perceptual(objective.perceptual_backbone), untrained_vgg)),
        semantics=cast("StageBackbone | None", load(objective.semantics, perceptual(objective.semantics_backbone), untrained_vgg)),
    )


def _load(loader: Callable[[str], object], untrained: Callable[[], nn.Module], device: torch.device, *, allow_random: bool) -> object:
    try:
        return loader(str(device))
    except WeightsMissingError:
        if not allow_random:
            raise
        return untrained().eval().requires_grad_(requires_grad=False).to(device)


def untrained_names(backbones: Backbones) -> list[str]:
    """Names the networks that have random weights."""
    found = (backbones.semantic, backbones.perceptual, backbones.semantics)
    return sorted({network.name.removesuffix(SUFFIX) for network in found if network is not None and network.name.endswith(SUFFIX)})
