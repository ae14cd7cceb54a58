"""Which of several candidates is kept: the one that a network finds closest to what was asked for [P, section 3.4].

The judge is CLIP where its weights are here; its stand-in, under its own name, looks at real pictures of the species.
"""

from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from g3dr.backbones import load_extractor, load_semantic, load_text
from g3dr.backbones.finding import find_weights
from g3dr.diffusion.generator import Pictures
from g3dr.diffusion.likeness import SpeciesPictures
from g3dr.errors import ConfigError, WeightsMissingError

JudgeName = Literal["auto", "clip", "likeness"]
PROMPT = "a photo of a {}"

_NEAREST = 5


@runtime_checkable
class Judge(Protocol):
    """Tells how close pictures are to what was asked for.

    Attributes:
        name: The network's name in records.
    """

    name: str

    def scores(self, pictures: Pictures) -> list[float]:
        """Returns one number for each picture, -1 to 1, higher is closer."""


class ClipJudge:
    """The cosine of CLIP's embeddings of picture and text.

    Args:
        text: What was asked for.
        device: Where it computes.

    Raises:
        WeightsMissingError: CLIP is not here.
    """

    name = "clip-vit-b16"

    def __init__(self, text: str, device: str = "cpu") -> None:
        self._network, self._device = load_semantic("clip_vit_b16", device), device
        with torch.inference_mode():
            self._wanted = functional.normalize(load_text(device).embed_text([text]), dim=1)

    @torch.inference_mode()
    def scores(self, pictures: Pictures) -> list[float]:
        """See `Judge`."""
        seen = functional.normalize(self._network.embed(_tensors(pictures, self._device)), dim=1)
        return list(map(float, seen @ self._wanted[0]))


class LikenessJudge:
    """The mean cosine of EfficientNet-Lite0's features of a picture and of the nearest five real ones of the species.

    Args:
        species: What was asked for.
        real: Real pictures, as the same network sees them.
        device: Where it computes.

    Raises:
        ConfigError: There are no pictures of the species.
    """

    name = "efficientnet-lite0 likeness"

    def __init__(self, species: str, real: SpeciesPictures, device: str = "cpu") -> None:
        rows = [row for row, name in enumerate(real.species) if name == species]
        if not rows:
            raise ConfigError("--judge", "likeness", "a species of which the data set has pictures (--data)")
        self._network, self._device = load_extractor("efficientnet_lite0", device), device
        self._real = real.directions[torch.tensor(rows)]

    def scores(self, pictures: Pictures) -> list[float]:
        """See `Judge`."""
        seen = self._network.extract(_tensors(pictures, self._device)).features.double().cpu()
        likeness = functional.normalize(seen, dim=1) @ self._real.T
        return list(map(float, likeness.topk(min(_NEAREST, len(self._real)), dim=1).values.mean(dim=1)))


def judge_named(name: JudgeName, subject: str, *, is_text: bool, real: SpeciesPictures | None, device: str = "cpu") -> Judge:
    """Returns who chooses.

    Args:
        name: `clip`, `likeness`, or `auto`: CLIP if it is here, else likeness if there are real pictures.
        subject: Species or text that was asked for.
        is_text: Which of both it is.
        real: Real pictures of the species, if there are any.
        device: Where it computes.

    Raises:
        WeightsMissingError: CLIP is needed and not here.
        ConfigError: Likeness is needed and there are no real pictures.
    """
    if name == "clip" or (name == "auto" and (real is None or _clip_is_here())):
        return ClipJudge(subject if is_text else PROMPT.format(subject.replace("_", " ")), device)
    if real is None:
        raise ConfigError("--judge", "likeness", "clip, or a data set with pictures of the species (--data)")
    return LikenessJudge(subject, real, device)


def needs_pictures(name: JudgeName) -> bool:
    """Tells whether a judge looks at real pictures."""
    return name == "likeness" or (name == "auto" and not _clip_is_here())


def best_of(judge: Judge, pictures: Pictures, candidates: int) -> tuple[list[int], list[float]]:
    """Returns the number of the best picture of each run of `candidates`, and all scores."""
    scores = judge.scores(pictures)
    groups = [range(first, first + candidates) for first in range(0, len(scores), candidates)]
    return [max(group, key=scores.__getitem__) for group in groups], scores


def _clip_is_here() -> bool:
    try:
        find_weights("clip-vit-b16")
    except WeightsMissingError:
        return False
    return True


def _tensors(pictures: Pictures, device: str) -> Float[Tensor, "batch 3 height width"]:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().to(device) / 127.5 - 1
