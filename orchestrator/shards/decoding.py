"""From encoded rows to tensors, at the resolution that a model wants."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from g3dr.errors import DataError
from g3dr.examples import EncodedView
from g3dr.pictures import decode_depth, decode_image, decode_masks
from g3dr.types import Batch, NovelTruth
from orchestrator.shards.cropping import resize_image, resize_nearest
from orchestrator.shards.plain_pictures import decode_depth_fast, decode_image_fast

_THREADS = 2


@dataclass(frozen=True)
class DecodedRows:
    """Rows in memory, decoded; the novel views stay encoded until they are asked for.

    Attributes:
        images: RGB, 0 to 255.
        depths: Distance along the ray, world units in [4, 6).
        keys: Key of each row.
        species: Species of each row.
        views: Encoded novel views of each row; empty for most.
    """

    images: UInt8[Tensor, "batch 3 height width"]
    depths: Float[Tensor, "batch 1 height width"]
    keys: tuple[str, ...]
    species: tuple[str, ...]
    views: tuple[tuple[EncodedView, ...], ...]

    def __len__(self) -> int:
        return len(self.keys)

    def batch(self, rows: Sequence[int] | NDArray[np.int64], flips: Sequence[bool] | NDArray[np.bool_] | None = None) -> Batch:
        """Picks rows and scales their pictures to [-1, 1].

        Args:
            rows: Numbers of the rows.
            flips: Which of them to mirror; None for none.
        """
        chosen = torch.as_tensor(np.asarray(rows, dtype=np.int64))
        images = self.images[chosen].to(torch.float32) / 127.5 - 1.0
        depths = self.depths[chosen]
        if flips is not None:
            mirrored = torch.as_tensor(np.asarray(flips, dtype=np.bool_))[:, None, None, None]
            images, depths = torch.where(mirrored, images.flip(-1), images), torch.where(mirrored, depths.flip(-1), depths)
        return Batch(images, depths, [self.keys[row] for row in rows], [self.species[row] for row in rows])

    def novel_truth(self, row: int) -> NovelTruth | None:
        """Returns the truth of a row's other views, at the resolution of `images`; None where nobody knows it."""
        return decode_views(self.views[row], self.images.shape[-1]) if self.views[row] else None


def decode_rows(rows: Sequence[dict[str, Any]], resolution: int) -> DecodedRows:
    """Decodes encoded rows; what is not square is cropped in the middle.

    Args:
        rows: Columns of each row, as `read_rows` yields them.
        resolution: Side of the pictures, pixels.

    Raises:
        DataError: A picture cannot be decoded; names the key.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        pairs = list(pool.map(lambda row: _decode_pair(row, resolution), rows))
    return DecodedRows(
        images=torch.from_numpy(np.stack([image for image, _ in pairs])).permute(0, 3, 1, 2).contiguous(),
        depths=torch.from_numpy(np.stack([depth for _, depth in pairs]))[:, None],
        keys=tuple(row["key"] for row in rows),
        species=tuple(row["species"] for row in rows),
        views=tuple(tuple(EncodedView(**view) for view in row.get("views") or ()) for row in rows),
    )


def decode_batch(rows: Sequence[dict[str, Any]], resolution: int, *, flip: bool) -> Batch:
    """Decodes encoded rows to a batch: the same values as `decode_rows(...).batch(...)`, in one pass and in one thread.

    Args:
        rows: Columns of each row and `flip`, as `read_rows` yields them.
        resolution: Side of the pictures, pixels.
        flip: Mirror the rows that say so.

    Raises:
        DataError: A picture cannot be decoded; names the key.
    """
    images = np.empty((len(rows), 3, resolution, resolution), dtype=np.float32)
    depths = np.empty((len(rows), 1, resolution, resolution), dtype=np.float32)
    for row, image, depth in zip(rows, images, depths, strict=True):
        direction = -1 if flip and row["flip"] else 1
        pixels, distances = _decode_pair(row, resolution)
        image[...] = pixels.transpose(2, 0, 1)[..., ::direction]
        depth[0] = distances[:, ::direction]
    images /= np.float32(127.5)
    images -= np.float32(1)
    return Batch(torch.from_numpy(images), torch.from_numpy(depths), [row["key"] for row in rows], [row["species"] for row in rows])


def _decode_pair(row: dict[str, Any], resolution: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    try:
        image, depth = decode_image_fast(row["image"]), decode_depth_fast(row["depth"])
    except DataError as error:
        raise DataError(f"{row['key']}: {error}") from error
    square = (resolution, resolution)
    return (
        image if image.shape[:2] == square else resize_image(image, resolution),
        depth if depth.shape == square else np.asarray(resize_nearest(depth, resolution), dtype=np.float32),
    )


def decode_views(views: Sequence[EncodedView], resolution: int) -> NovelTruth:
    """Decodes the true views of one object.

    Args:
        views: At least one.
        resolution: Side of the pictures, pixels.
    """
    images = np.stack([resize_image(decode_image(view.image), resolution) for view in views])
    depths = np.stack([resize_nearest(decode_depth(view.depth), resolution) for view in views]).astype(np.float32)
    masks = np.stack([[resize_nearest(mask, resolution) for mask in decode_masks(view.masks)] for view in views])
    foreground, in_box, covisible = (torch.from_numpy(masks[:, kind]).to(torch.bool)[:, None] for kind in range(3))
    return NovelTruth(
        yaw=torch.tensor([view.yaw for view in views]),
        pitch=torch.tensor([view.pitch for view in views]),
        rgb=torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0,
        depth=torch.from_numpy(depths)[:, None],
        foreground=foreground,
        in_box=in_box,
        covisible=covisible,
    )
