"""One example, checked and brought to the shape that is asked for: the last step before it becomes a row."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dr.errors import DataError
from g3dr.examples import EncodedView, RgbdExample
from g3dr.pictures import (
    DEPTH_NEAR,
    DEPTH_RANGE,
    decode_depth,
    decode_image,
    decode_masks,
    encode_depth,
    encode_image,
    encode_masks,
    orientation_of,
    turn,
)
from orchestrator.experiment.folder_config import Crop, DepthNeed
from orchestrator.shards.cropping import WHITE, framed, pick_nearest, resize_area, size_at
from orchestrator.shards.rows import Row

FAR = DEPTH_NEAR + DEPTH_RANGE
_FIRST_SIDEWAYS = 5
_JPEG_START = b"\xff\xd8"

Pixels = NDArray[np.uint8]
Distances = NDArray[np.float32]


class DepthMapError(DataError):
    """A depth map cannot be decoded.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"its depth map: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Preparation:
    """What happens to pictures and depth maps between source and shard.

    Attributes:
        resolution: See `FolderConfig`.
        crop: See `FolderConfig`.
        depth: See `FolderConfig`.
    """

    resolution: int | None = None
    crop: Crop | None = None
    depth: DepthNeed = "required"

    def description(self) -> dict[str, Any]:
        """Returns what differs from doing nothing, as JSON."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}

    @property
    def frame(self) -> Crop:
        """The crop that is meant where none is given."""
        return self.crop or ("none" if self.resolution is None else "centre")

    @property
    def keeps_bytes(self) -> bool:
        """Whether files go into the shard as they are."""
        return self.resolution is None and self.frame == "none"


def prepared(example: RgbdExample, preparation: Preparation) -> Row:
    """Decodes picture and depth, checks that they fit, and shapes both; files that need no change keep every byte.

    Raises:
        DataError: The picture or its depth cannot be used, or they do not fit each other.
    """
    if example.depth is None and preparation.depth == "required":
        raise DataError("there is no depth map; to estimate it, pack with `--depth none` and run `g3dr data depth`")
    example = _upright(example if preparation.depth != "none" else replace(example, depth=None))
    image = decode_image(example.image)
    depth = None if example.depth is None else _depth_of(example.depth, image.shape[:2])
    if preparation.keeps_bytes:
        return Row(example, width=image.shape[1], height=image.shape[0])
    image = _shaped_image(image, preparation)
    return Row(
        replace(
            example,
            image=encode_image(image),
            depth=None if depth is None else encode_depth(_shaped_depth(depth, preparation)),
            views=tuple(_shaped_view(view, preparation) for view in example.views),
        ),
        width=image.shape[1],
        height=image.shape[0],
    )


def _upright(example: RgbdExample) -> RgbdExample:
    """Turns the pixels of a picture that asks its viewer to turn it, with a depth map that was made before or after turning."""
    orientation = orientation_of(example.image)
    if orientation == 1:
        return example
    image = decode_image(example.image)
    depth = None if example.depth is None else _turned_depth(example.depth, image.shape[:2], orientation)
    # A JPEG stays one: as PNG a photograph would be five times as large.
    return replace(example, image=encode_image(image, "jpeg" if example.image.startswith(_JPEG_START) else "png"), depth=depth)


def _turned_depth(data: bytes, shape: tuple[int, ...], orientation: int) -> bytes:
    depth = _decoded_depth(data)
    sideways = orientation >= _FIRST_SIDEWAYS
    if depth.shape not in {shape, shape[::-1] if sideways else shape}:
        raise _misfit(depth, shape)
    if not sideways or shape[0] == shape[1]:
        raise DataError(
            f"the picture asks to be turned (EXIF orientation {orientation}) and its depth map fits both before and after; "
            "turn the picture's own pixels, for example with `mogrify -auto-orient`"
        )
    return data if depth.shape == shape else encode_depth(turn(depth, orientation))


def _depth_of(data: bytes, shape: tuple[int, ...]) -> Distances:
    depth = _decoded_depth(data)
    if depth.shape != shape:
        raise _misfit(depth, shape)
    return depth


def _decoded_depth(data: bytes) -> Distances:
    try:
        return decode_depth(data)
    except DataError as error:
        raise DepthMapError(str(error)) from error


def _misfit(depth: Distances, shape: tuple[int, ...]) -> DataError:
    return DataError(f"the depth map is {depth.shape[1]} x {depth.shape[0]}, its picture {shape[1]} x {shape[0]}; they must be equal")


def _shaped_image(image: Pixels, preparation: Preparation) -> Pixels:
    frame = np.asarray(framed(image, preparation.frame, WHITE), dtype=np.uint8)
    return frame if preparation.resolution is None else resize_area(frame, size_at(frame, preparation.resolution))


def _shaped_depth(depth: NDArray[np.generic], preparation: Preparation, fill: float = FAR) -> NDArray[np.generic]:
    frame = framed(depth, preparation.frame, fill)
    return frame if preparation.resolution is None else pick_nearest(frame, size_at(frame, preparation.resolution))


def _shaped_view(view: EncodedView, preparation: Preparation) -> EncodedView:
    masks = (np.asarray(_shaped_depth(mask, preparation, fill=0), dtype=np.bool_) for mask in decode_masks(view.masks))
    return replace(
        view,
        image=encode_image(_shaped_image(decode_image(view.image), preparation)),
        depth=encode_depth(np.asarray(_shaped_depth(decode_depth(view.depth), preparation), dtype=np.float32)),
        masks=encode_masks(*masks),
    )
