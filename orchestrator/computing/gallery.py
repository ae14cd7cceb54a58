"""The pictures of an evaluation that the report shows, as one safetensors file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from safetensors.torch import save
from torch import Tensor

from g3dr.export.parts import part_pictures
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
        pictures: Name to picture: `input`, `canonical`, `novel`, `novel_truth`, `orbit` as bytes, the `depth` ones in world units, the
            `semantics` ones as channels, which become `parts` when exhibits are packed.
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
        if canonical.semantics is not None and novel.semantics is not None:
            pictures |= {"semantics": canonical.semantics[0].cpu(), "novel_semantics": novel.semantics[0].cpu()}
        if truth is not None:
            pictures["novel_truth"] = to_bytes(truth.rgb[0])
        if orbit is not None:
            pictures["orbit"] = to_bytes(orbit)
        return cls(batch.keys[0], batch.species[0], pictures)


def pack_exhibits(exhibits: Sequence[Exhibit]) -> bytes:
    """Stacks the exhibits; only pictures that all of them have."""
    exhibits = _with_parts(exhibits)
    names = set.intersection(*(set(exhibit.pictures) for exhibit in exhibits)) if exhibits else set()
    stacked = {name: torch.stack([exhibit.pictures[name] for exhibit in exhibits]).contiguous() for name in sorted(names)}
    labels = {"keys": json.dumps([exhibit.key for exhibit in exhibits]), "species": json.dumps([exhibit.species for exhibit in exhibits])}
    data: bytes = save(stacked, metadata=labels)
    return data


def _with_parts(exhibits: Sequence[Exhibit]) -> Sequence[Exhibit]:
    """Turns semantics into part pictures, coloured alike in all exhibits and in both views."""
    if not exhibits or not all("semantics" in exhibit.pictures for exhibit in exhibits):
        return exhibits
    parts = part_pictures([exhibit.pictures[name] for name in ("semantics", "novel_semantics") for exhibit in exhibits])
    both = zip(exhibits, parts[: len(exhibits)], parts[len(exhibits) :], strict=True)
    return [_exhibit_with_parts(exhibit, {"parts": here, "novel_parts": there}) for exhibit, here, there in both]


def _exhibit_with_parts(exhibit: Exhibit, parts: dict[str, Tensor]) -> Exhibit:
    others = {name: picture for name, picture in exhibit.pictures.items() if not name.endswith("semantics")}
    return replace(exhibit, pictures=others | parts)
