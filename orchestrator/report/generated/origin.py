"""How a generated set came to be, line by line: what was asked for, who drew, who chose, who made objects, what it was compared with."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.depth.naming import full_name
from orchestrator.report.generated.records import Comparison, GeneratedSet
from orchestrator.report.numbers import counted

_OWN = "the model's own"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Fact:
    """One line.

    Attributes:
        term: What it is about.
        text: In words.
        code: A fingerprint, a place or a text as it was given; empty for none.
    """

    term: str
    text: str
    code: str = ""


def origin(made: GeneratedSet) -> list[Fact]:
    """Returns the lines, in the order in which things happened."""
    return [*_asked(made), *_drawn(made), *_chosen(made), *_built(made), *(_compared(made.comparison) if made.comparison else ())]


def _asked(made: GeneratedSet) -> Iterator[Fact]:
    yield Fact("Asked for", "a text:" if made.is_text else "", ", ".join(subject for subject in made.subjects if subject) or "anything")
    if made.negative:
        yield Fact("Away from", "", made.negative)
    seeds = [drawing.seed for drawing in made.drawings]
    if seeds:
        yield Fact("Seeds", f"{min(seeds)} to {max(seeds)}; {counted(len(seeds), 'picture')} kept")


def _drawn(made: GeneratedSet) -> Iterator[Fact]:
    yield Fact("Drawn by", str(made.model.get("name") or "a model that is not recorded"))
    for name, value in made.model.items():
        if name != "name":
            yield Fact(name.capitalize(), "SHA-256" if _SHA256.fullmatch(str(value)) else "", str(value))
    settings = made.settings
    guidance = settings.get("guidance")
    yield Fact("Sampler", f"{_or_own(settings.get('sampler'))}, steps: {_or_own(settings.get('steps'))}")
    yield Fact("Guidance", "none" if guidance == 1 else _or_own(guidance))


def _or_own(value: Any) -> str:
    return _OWN if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _chosen(made: GeneratedSet) -> Iterator[Fact]:
    chosen = f"{made.candidates} a picture, the best kept by {made.judge}" if made.candidates > 1 else "one a picture, no choice"
    yield Fact("Candidates", chosen)


def _built(made: GeneratedSet) -> Iterator[Fact]:
    if made.estimator:
        yield Fact("Depth", f"estimated by {full_name(made.estimator)}")
    if made.checkpoint:
        yield Fact("3D model", "", made.checkpoint)


def _compared(found: Comparison) -> Iterator[Fact]:
    name, counts = found.dataset.partition("?")[0].rstrip("/").rpartition("/")[2], found.counts
    sides = f", {counts.get('held_out', 0)} held-out and {counts.get('training', 0)} training pictures of the species" if counts else ""
    yield Fact("Compared with", f"{name}{sides}, version", found.version)
    yield Fact("Seen by", f"{found.extractor}, SHA-256", found.extractor_hash)
