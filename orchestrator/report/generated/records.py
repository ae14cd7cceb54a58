"""What the report knows about a generated set, read from its record and still free of any presentation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.report.collect import finite_values

Looks = Mapping[str, Mapping[str, int]]
"""For each species that was asked for, or that a real picture shows: how many pictures look like which."""


@dataclass(frozen=True)
class Comparison:
    """A generated set beside real pictures.

    Attributes:
        dataset: Place of the data set.
        version: Its content version.
        extractor: Name of the network that looked.
        extractor_hash: SHA-256 of its weights.
        images: Pictures on each side of a distance.
        counts: `generated`, `held_out`, `training`, `depths`, `held_out_depths`: how many there were.
        metrics: Name to value.
        looks: What generated pictures look like.
        real_looks: What held-out pictures look like.
    """

    dataset: str
    version: str
    extractor: str
    extractor_hash: str
    images: int
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    looks: Looks
    real_looks: Looks

    def right(self, *, real: bool = False) -> tuple[int, int]:
        """Returns how many pictures, generated or real, look most like the species that they are of, and of how many."""
        found = self.real_looks if real else self.looks
        return sum(looks.get(name, 0) for name, looks in found.items()), sum(sum(looks.values()) for looks in found.values())


@dataclass(frozen=True)
class Drawing:
    """A picture of a set.

    Attributes:
        name: Of its folder and files.
        subject: What was asked for.
        seed: Gives the picture again.
        error: Why it became no object; None where it did, or was not to.
    """

    name: str
    subject: str
    seed: int
    error: str | None = None


@dataclass(frozen=True)
class GeneratedSet:
    """A generated set.

    Attributes:
        id: Of its record.
        subjects: Names of classes, or one text.
        is_text: Which of both.
        negative: What guidance led away from.
        candidates: Pictures that were drawn for each that was kept.
        judge: Who kept the best; empty where there was no choice.
        model: What identifies who drew; `name` and fingerprints of weights.
        settings: `steps`, `guidance`, `sampler`; None where that was left to a public model.
        estimator: What identifies who estimated depth; empty where nobody did.
        checkpoint: Of the 3D model; empty likewise.
        drawings: The pictures.
        comparison: Its figures; None where nothing was compared.
    """

    id: str
    subjects: Sequence[str]
    is_text: bool
    negative: str
    candidates: int
    judge: str
    model: Mapping[str, Any]
    settings: Mapping[str, Any]
    estimator: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: str = ""
    drawings: Sequence[Drawing] = ()
    comparison: Comparison | None = None

    @property
    def title(self) -> str:
        """What it shows, in a word or a few."""
        named = [subject for subject in self.subjects if subject]
        return named[0] if len(named) == 1 else f"{len(named)} species" if named else "Pictures"

    @property
    def lost(self) -> list[Drawing]:
        """Pictures that became no object."""
        return [drawing for drawing in self.drawings if drawing.error]


def read_set(record: Mapping[str, Any]) -> GeneratedSet:
    """Reads a record of `g3dr generate`; what an older one lacks stays empty."""
    asked = record.get("asked") or {}
    return GeneratedSet(
        id=str(record.get("id") or ""),
        subjects=[str(subject) for subject in asked.get("subjects") or []],
        is_text=bool(asked.get("is_text")),
        negative=str(asked.get("negative") or ""),
        candidates=int(asked.get("candidates") or 1),
        judge=str(record.get("judge") or ""),
        model=record.get("model") or {},
        settings=record.get("settings") or {},
        estimator=(record.get("depth") or {}).get("estimator") or {},
        checkpoint=str(record.get("checkpoint") or ""),
        drawings=[_drawing(entry) for entry in record.get("pictures") or []],
        comparison=_comparison(record["evaluation"]) if record.get("evaluation") else None,
    )


def _drawing(entry: Mapping[str, Any]) -> Drawing:
    return Drawing(str(entry["name"]), str(entry.get("subject") or ""), int(entry.get("seed") or 0), entry.get("error"))


def _comparison(record: Mapping[str, Any]) -> Comparison:
    extractor, species = record.get("extractor") or {}, record.get("species") or {}
    return Comparison(
        dataset=str(record.get("dataset") or ""),
        version=str(record.get("version") or ""),
        extractor=str(extractor.get("name") or ""),
        extractor_hash=str(extractor.get("sha256") or ""),
        images=int(record.get("images") or 0),
        counts=record.get("counts") or {},
        metrics=finite_values(record.get("metrics") or {}),
        looks={name: entry.get("looks_like") or {} for name, entry in species.items()},
        real_looks={name: entry.get("real_looks_like") or {} for name, entry in species.items()},
    )
