"""What frozen networks see in the input images, kept between steps where all of it fits into memory.

An image is known by the digest of its pixels, so that a mirrored, cropped or recoloured image is another image and nothing
stale can ever be used.
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.config import ConditioningConfig, ObjectiveConfig

Images = Float[Tensor, "batch 3 height width"]
Features = Sequence[Float[Tensor, "batch *_rest"]]
Look = Callable[[Tensor], Features]
Recall = Callable[[str, Tensor, Look], Features]
"""Returns the features of images by a name for what is looked at and the function that computes it."""


def looks_at_images(objective: ObjectiveConfig, conditioning: ConditioningConfig) -> bool:
    """Tells whether a training looks at its input images through a frozen network."""
    terms = (objective.clip, objective.perceptual, objective.semantics)
    return any(term.weight > 0 for term in terms) or conditioning.uses_images


def look_again(_: str, images: Images, look: Look) -> Features:
    """Computes features anew, without a gradient."""
    with torch.no_grad():
        return look(images.detach())


def image_digests(images: Images) -> tuple[bytes, ...]:
    """Returns a digest of the pixels of each image; equal digests mean equal images."""
    return tuple(hashlib.blake2b(image.cpu().contiguous().numpy(), digest_size=16).digest() for image in images)


class FeatureStore:
    """Keeps the features of the images of a training.

    Whether a kind of features is kept depends on its size and on the number of images alone, and each image is looked at on
    its own, so that a resumed training sees the same numbers as one that was never interrupted.

    Args:
        images: How many different images the training has; a mirrored one counts.
        limit: Memory for each kind of features, bytes, on the device where they are computed.
    """

    def __init__(self, images: int, limit: int) -> None:
        self._images, self._limit = images, limit
        self._kinds: dict[str, dict[bytes, Sequence[Tensor]] | None] = {}

    @property
    def is_useless(self) -> bool:
        """Whether every kind that was asked for so far is too large to be kept."""
        return bool(self._kinds) and all(kept is None for kept in self._kinds.values())

    def recall(self, digests: Sequence[bytes]) -> Recall:
        """Returns the function that finds the features of the images with these `image_digests`, or computes and keeps them."""
        return lambda kind, images, look: self._features(kind, images, look, digests)

    def _features(self, kind: str, images: Images, look: Look, digests: Sequence[bytes]) -> Features:
        known = self._known(kind, images, look) if digests else None
        if known is None:
            return look_again(kind, images, look)
        each = [known.get(digest) or self._look_at_one(images[index : index + 1], look) for index, digest in enumerate(digests)]
        if len(known) < self._images:
            known.update(zip(digests, each, strict=True))
        return [torch.cat(parts) for parts in zip(*each, strict=True)]

    def _known(self, kind: str, images: Images, look: Look) -> dict[bytes, Sequence[Tensor]] | None:
        """Decides once for every kind, by the size of one image's features."""
        if kind not in self._kinds:
            size = sum(part.numel() * part.element_size() for part in self._look_at_one(images[:1], look))
            self._kinds[kind] = {} if size * self._images <= self._limit else None
        return self._kinds[kind]

    @staticmethod
    def _look_at_one(image: Images, look: Look) -> Sequence[Tensor]:
        return list(look_again("", image, look))
