"""The pictures of an evaluation that the report shows, as one safetensors file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from safetensors.torch import save
from torch import Tensor

from g3dr.types import Batch, Frames, NovelTruth


def to_bytes(pictures: Tensor) -> Tensor:
    """Turns [..., 3, height, width] in [-1, 1] into [..., height, width, 3] of 0 to 255."""
    return ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).movedim(-3, -1).cpu().contiguous()


@dataclass(frozen=True)
class Exhibit:
    """Pictures of one object.

    Attributes:
        key: Its key in the dataset.
        species: Its species.
        pictures: Name to picture: `input`, `canonical`, `novel`, `novel_truth`, `orbit` as bytes, the `depth` ones in world units.
    """

    key: str
    species: str
    pictures: dict[str, Tensor]

    @classmethod
    def of(cls, batch: Batch, canonical: Frames, novel: Frames, truth: NovelTruth | None, orbit: Tensor | None) -> "Exhibit":
        """Takes the first view of each; truth and orbit may be missing."""
        pictures = {
            "input": to_bytes(batch.images[0]),
            "canonical": to_bytes(canonical.rgb[0]),
            "novel": to_bytes(novel.rgb[0]),
            "depth": canonical.depth[0, 0].cpu(),
            "depth_truth": batch.depths[0, 0].cpu(),
            "novel_depth": novel.depth[0, 0].cpu(),
        }
        if truth is not None:
            pictures["novel_truth"] = to_bytes(truth.rgb[0])
        if orbit is not None:
            pictures["orbit"] = to_bytes(orbit)
        return cls(batch.keys[0], batch.species[0], pictures)


def pack_exhibits(exhibits: Sequence[Exhibit]) -> bytes:
    """Stacks the exhibits; only pictures that all of them have."""
    names = set.intersection(*(set(exhibit.pictures) for exhibit in exhibits)) if exhibits else set()
    stacked = {name: torch.stack([exhibit.pictures[name] for exhibit in exhibits]).contiguous() for name in sorted(names)}
    labels = {"keys": json.dumps([exhibit.key for exhibit in exhibits]), "species": json.dumps([exhibit.species for exhibit in exhibits])}
    data: bytes = save(stacked, metadata=labels)
    return data
