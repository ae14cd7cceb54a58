"""From where an object is rendered, and how long that takes."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from g3dr.cameras import FRONTAL_ANGLE
from g3dr.model import G3DR
from g3dr.render import NodeTable
from g3dr.types import Batch, Frames, NovelTruth
from g3dr.views import render_poses
from orchestrator.shards.decoding import DecodedRows, decode_views

UNKNOWN_VIEWS = 4
UNKNOWN_YAW, UNKNOWN_PITCH = 0.3, 0.1
FRONTAL = torch.tensor([FRONTAL_ANGLE])

Poses = tuple[Tensor, Tensor]


@dataclass
class Views:
    """Renders one encoded object.

    Attributes:
        model: The model.
        table: The object.
        resolution: Side of its pictures, pixels.
        seconds: Spent so far on encoding and rendering it.
    """

    model: G3DR
    table: NodeTable
    resolution: int
    seconds: float = 0.0

    @classmethod
    def of(cls, model: G3DR, batch: Batch) -> "Views":
        """Encodes the only image of a batch."""
        started = time.perf_counter()
        with torch.inference_mode():
            table = model.encode(batch.images, batch.depths, model.condition(batch.images, batch.species))
        return cls(model, table, batch.images.shape[-1], time.perf_counter() - started)

    def at(self, yaw: Tensor, pitch: Tensor) -> Frames:
        """Renders it from several cameras."""
        started = time.perf_counter()
        frames = render_poses(self.model, self.table, yaw, pitch, self.resolution)
        self.seconds += time.perf_counter() - started
        return frames


def known_views(rows: DecodedRows, row: int, count: int | None) -> NovelTruth | None:
    """Returns the truth of a row's first `count` other views (None for all); None where nobody knows it, or none is wanted."""
    wanted = rows.views[row] if count is None else rows.views[row][:count]
    return decode_views(wanted, rows.images.shape[-1]) if wanted else None


def unknown_poses(seed: int, objects: int, count: int | None) -> list[Poses]:
    """Returns random cameras around the input view for each of `objects` objects: where no truth is known, for the distribution metrics.

    Args:
        seed: Of the evaluation.
        objects: How many.
        count: Views of each; four where that is None or 0.
    """
    offsets = np.random.default_rng(seed).uniform(-1, 1, (objects, 2, count or UNKNOWN_VIEWS))
    yaw, pitch = torch.from_numpy(offsets).float().unbind(1)
    return list(zip(FRONTAL + UNKNOWN_YAW * yaw, FRONTAL + UNKNOWN_PITCH * pitch, strict=True))
