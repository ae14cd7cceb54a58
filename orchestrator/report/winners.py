"""Which setting of a sweep was best: by its number, or by the mean over its seeds where it was trained with several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from orchestrator.report.numbers import counted
from orchestrator.report.records import Stage, StageRun


@dataclass(frozen=True)
class Winner:
    """The best setting of a sweep.

    Attributes:
        name: What it sets.
        value: What it reached, the mean over its seeds; None if a number is missing.
        seeds: How many runs that is the mean of.
        settings: Of how many settings it is the best.
    """

    name: str
    value: float | None
    seeds: int
    settings: int

    @property
    def averaged(self) -> str:
        """In words what the value is the mean of; empty for a single run."""
        return f"mean of {counted(self.seeds, 'seed')}" if self.seeds > 1 else ""

    @property
    def field(self) -> str:
        """In words of how many it is the best."""
        return counted(self.settings, "setting" if self.seeds > 1 else "trial")


def most_of(stage: Stage) -> str:
    """Returns what the best number of a stage is: the lowest or the highest."""
    return "lowest" if stage.mode == "min" else "highest"


def winner_of(stage: Stage) -> Winner | None:
    """Returns the best setting of a sweep as the ledger names it; None while there is none."""
    best = next((run for run in stage.runs if run.run == stage.best), None)
    if best is None:
        return None
    runs = _with(stage.runs, best.assignment)
    name = best.name.removesuffix(f", seed {best.seed}") if len(runs) > 1 else best.name
    settings = {tuple(sorted((path, repr(value)) for path, value in run.assignment.items())) for run in stage.runs}
    return Winner(name, _mean(runs, stage.metric), len(runs), len(settings) if len(runs) > 1 else len(stage.runs))


def _with(runs: Sequence[StageRun], assignment: Mapping[str, Any]) -> list[StageRun]:
    return [run for run in runs if run.assignment == assignment]


def _mean(runs: Sequence[StageRun], metric: str | None) -> float | None:
    values = [run.evaluation.metrics.get(metric) if run.evaluation and metric else None for run in runs]
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None
