"""Draws pictures: several candidates for each one that is wanted, of which the best is kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import UInt8

from g3dr.diffusion.choosing import Judge, best_of
from g3dr.diffusion.config import SamplingSettings
from g3dr.diffusion.generator import Advance, PictureGenerator, Wish
from g3dr.errors import ConfigError


@dataclass(frozen=True)
class DrawingOptions:
    """How many pictures of what.

    Attributes:
        count: Pictures that are wanted.
        candidates: Pictures that are drawn for each of them.
        seed: Of the first candidate; the others follow it.
        settings: How they are drawn.
    """

    count: int = 1
    candidates: int = 1
    seed: int = 0
    settings: SamplingSettings = field(default_factory=SamplingSettings)

    def __post_init__(self) -> None:
        for option, value, least in (("--count", self.count, 1), ("--candidates", self.candidates, 1), ("--seed", self.seed, 0)):
            if value < least:
                raise ConfigError(option, value, f"{least} or more")

    @property
    def seeds(self) -> range:
        """Seeds of all candidates, those of the first picture first."""
        return range(self.seed, self.seed + self.count * self.candidates)


@dataclass(frozen=True)
class Drawn:
    """A picture that was kept.

    Attributes:
        subject: What was asked for.
        seed: Gives the picture again.
        picture: Red, green, blue, 0 to 255.
        candidates: Seed and score of each candidate; the score is None where there was no choice.
        judge: Who chose; None likewise.
    """

    subject: str
    seed: int
    picture: UInt8[np.ndarray, "height width 3"]
    candidates: Sequence[Mapping[str, Any]]
    judge: str | None


def draw(generator: PictureGenerator, wish: Wish, options: DrawingOptions, judge: Callable[[], Judge], advance: Advance) -> list[Drawn]:
    """Draws the candidates and returns the best ones, in the order of their seeds.

    Args:
        generator: Who draws.
        wish: What is to be seen.
        options: How many, and how.
        judge: Makes the judge; not called where there is nothing to choose.
        advance: Called with the steps that are done, and all of them.

    Raises:
        ConfigError: The wish is none for this generator.
        WeightsMissingError: The judge's weights are nowhere.
    """
    chosen_by = judge() if options.candidates > 1 else None
    pictures = generator.generate(wish, options.seeds, options.settings, advance)
    if chosen_by is None:
        return [Drawn(wish.subject, seed, pictures[row], [_candidate(seed)], None) for row, seed in enumerate(options.seeds)]
    best, scores = best_of(chosen_by, pictures, options.candidates)
    candidates = [_candidate(seed, score) for seed, score in zip(options.seeds, scores, strict=True)]
    found = []
    for number, row in enumerate(best):
        first = number * options.candidates
        found.append(Drawn(wish.subject, options.seeds[row], pictures[row], candidates[first : first + options.candidates], chosen_by.name))
    return found


def _candidate(seed: int, score: float | None = None) -> dict[str, Any]:
    return {"seed": seed, "score": None if score is None else round(score, 4)}
