"""What photographs lack: depth from an estimator, and masks from a background model, several pictures at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from g3dr.depth import DepthEstimator, Picture, to_distance
from g3dr.errors import DataError
from orchestrator.depth.asking import maps_of
from orchestrator.depth.naming import short_name
from orchestrator.grouping import in_groups
from orchestrator.photographs.background import BackgroundModel
from orchestrator.photographs.finding import Photograph
from orchestrator.photographs.picture import OpenedPhotograph, RgbdPicture
from orchestrator.shards.cropping import resize_area

BATCH_SIZE = 4
"""Photographs that are open at once; those of a telephone take 36 MB each."""

LARGEST_SHORT_SIDE, LARGEST_PROPORTION = 1024, 2.0
"""Of what an estimator is shown: no object is rendered with more pixels, and only the middle square becomes one."""


@dataclass(frozen=True)
class Completion:
    """Who completes photographs.

    Attributes:
        estimator: Finds depth; None where every photograph has its own.
        model: Finds the object; None where masks come from files alone.
    """

    estimator: DepthEstimator | None = None
    model: BackgroundModel | None = None


def completed(photographs: Iterable[Photograph], completion: Completion) -> Iterator[tuple[Photograph, RgbdPicture | DataError]]:
    """Reads photographs and completes them; one that fails comes with its reason, in its place.

    Args:
        photographs: Where they lie.
        completion: Who finds what they lack.
    """
    for group in in_groups(photographs, BATCH_SIZE):
        yield from zip(group, _completed_group([_opened(photograph) for photograph in group], completion), strict=True)


def _opened(photograph: Photograph) -> OpenedPhotograph | DataError:
    try:
        return photograph.read()
    except DataError as error:
        return error


def _completed_group(group: Sequence[OpenedPhotograph | DataError], completion: Completion) -> list[RgbdPicture | DataError]:
    bare = [one.image for one in group if isinstance(one, OpenedPhotograph) and one.depth is None]
    found = iter(_estimated(bare, completion.estimator))
    return [
        one if isinstance(one, DataError) else _finished(one, one.depth if one.depth is not None else next(found), completion)
        for one in group
    ]


def _estimated(images: Sequence[NDArray[np.uint8]], estimator: DepthEstimator | None) -> "Sequence[NDArray[np.float32] | DataError]":
    if estimator is None:
        return [DataError("the picture has no depth map, and nobody to estimate it")] * len(images)
    return estimated(images, estimator)


def _finished(opened: OpenedPhotograph, depth: NDArray[np.float32] | DataError, completion: Completion) -> RgbdPicture | DataError:
    if isinstance(depth, DataError):
        return depth
    depth_from = short_name(completion.estimator.identity()) if opened.depth is None and completion.estimator is not None else ""
    try:
        mask, mask_from = _mask(opened, completion)
    except DataError as error:
        return error
    return RgbdPicture(opened.image, depth, mask, depth_from, mask_from)


def _mask(opened: OpenedPhotograph, completion: Completion) -> tuple[NDArray[np.bool_] | None, str]:
    if opened.mask is not None or completion.model is None:
        return opened.mask, ""
    return completion.model.mask(opened.image), completion.model.name


def estimated(images: Sequence[NDArray[np.uint8]], estimator: DepthEstimator) -> list[NDArray[np.float32] | DataError]:
    """Estimates the depth of pictures of any size, all at once.

    Args:
        images: Red, green, blue, upright.
        estimator: Who estimates.

    Returns:
        For each the distance along the ray, world units in [4, 6), of its middle part, at most twice as long as wide; or why there is none.
    """
    maps = maps_of(estimator, [Picture(str(number), shown(image)) for number, image in enumerate(images)])
    return [one if isinstance(one, DataError) else _distance(one, estimator) for one in maps]


def _distance(values: NDArray[np.generic], estimator: DepthEstimator) -> NDArray[np.float32] | DataError:
    try:
        return to_distance(values, estimator.measure).astype(np.float32)
    except DataError as error:
        return error


def shown(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns what an estimator is shown of a picture: its middle part, not too long and not too large."""
    height, width = image.shape[:2]
    longest = int(LARGEST_PROPORTION * min(height, width))
    top, left = (max(0, side - longest) // 2 for side in (height, width))
    part = image[top : top + longest, left : left + longest]
    scale = LARGEST_SHORT_SIDE / min(height, width)
    small = part if scale >= 1 else resize_area(part, (round(part.shape[1] * scale), round(part.shape[0] * scale)))
    return small if small.flags.writeable else small.copy()  # torch warns of memory that cannot be written
