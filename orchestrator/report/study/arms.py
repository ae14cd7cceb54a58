"""Sweeps with several seeds, taken apart into arms: what was chosen, and a run for every seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.report.plots import short_path, value_text
from orchestrator.report.records import Stage, StageRun, Study
from orchestrator.report.results import by_seed
from orchestrator.report.statistics import CONFIDENCE, Interval, student_mean

_MOST_ARMS = 64


@dataclass(frozen=True)
class Arm:
    """One choice of a sweep's values.

    Attributes:
        values: Dotted path to value.
        runs: Seed to its finished and measured run.
    """

    values: Mapping[str, Any]
    runs: Mapping[int, StageRun]

    @property
    def label(self) -> str:
        """The choice in short words."""
        return ", ".join(f"{short_path(path)} {value_text(value)}" for path, value in self.values.items())

    def by_seed(self, metric: str) -> dict[int, float]:
        """Returns the metric of each seed that has it."""
        return by_seed(self.runs.values(), metric)

    def mean(self, metric: str) -> Interval | None:
        """Returns the mean over seeds with Student's interval."""
        return student_mean(list(self.by_seed(metric).values()))

    def against(self, other: "Arm", metric: str, confidence: float = CONFIDENCE) -> Interval | None:
        """Returns the mean difference of this arm minus another, paired by seed, with Student's interval; None without a common seed."""
        mine, theirs = self.by_seed(metric), other.by_seed(metric)
        return student_mean([value - theirs[seed] for seed, value in mine.items() if seed in theirs], confidence)


@dataclass(frozen=True)
class Comparison:
    """A sweep as arms.

    Attributes:
        stage: Its name.
        paths: What it varies.
        arms: Every choice, in the order of the ledger.
        base: The arm that has the experiment's own settings; else the first.
    """

    stage: str
    paths: Sequence[str]
    arms: Sequence[Arm]
    base: Arm

    @property
    def metrics(self) -> set[str]:
        """Names of all metrics that some run has."""
        return {name for arm in self.arms for run in arm.runs.values() if run.evaluation for name in run.evaluation.metrics}

    def varying(self, path: str) -> list[Arm]:
        """Returns the arms that differ from the base in `path` at most, the base first."""
        others = [arm for arm in self.arms if arm is not self.base and _differences(arm, self.base) == {path}]
        return [self.base, *others]


def _differences(arm: Arm, other: Arm) -> set[str]:
    return {path for path, value in arm.values.items() if value != other.values.get(path)}


def comparisons(study: Study) -> list[Comparison]:
    """Returns the sweeps that tried the same seeds with several choices, as far as they are finished and measured."""
    found = [_comparison(study, stage) for stage in study.of_kind("sweep")]
    return [comparison for comparison in found if comparison is not None]


def _comparison(study: Study, stage: Stage) -> Comparison | None:
    arms = _arms(stage)
    repeated = [arm for arm in arms if len(arm.runs) > 1]
    if len(repeated) < 2 or len(arms) > _MOST_ARMS:
        return None
    paths = list(dict.fromkeys(path for arm in arms for path in arm.values))
    own = {path: own_value(study, stage.name, path) for path in paths}
    base = next((arm for arm in arms if all(arm.values.get(path) == own[path] for path in paths)), arms[0])
    return Comparison(stage.name, paths, arms, base)


def _arms(stage: Stage) -> list[Arm]:
    grouped: dict[tuple[tuple[str, str], ...], tuple[dict[str, Any], dict[int, StageRun]]] = {}
    for run in stage.runs:
        values = {path: value for path, value in run.assignment.items() if path != "seed"}
        if values and run.state == "finished" and run.evaluation:
            key = tuple((path, repr(value)) for path, value in values.items())
            grouped.setdefault(key, (values, {}))[1][run.seed] = run
    return [Arm(values, runs) for values, runs in grouped.values()]


def own_value(study: Study, stage: str, path: str) -> Any:
    """Returns what the experiment itself sets at `path` in a stage; None where it says nothing."""
    stages: list[dict[str, Any]] = study.experiment.get("stages") or []
    found = next((_at(entry, path) for entry in stages if entry.get("name") == stage), None)
    return _at(study.experiment, path) if found is None else found


def _at(document: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(document, Mapping) or part not in document:
            return None
        document = document[part]
    return document
