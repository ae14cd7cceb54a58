"""Seconds per step of recipes that were timed in turns in one process."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestrator.report.cells import Column, Row, Table, number, words
from orchestrator.report.numbers import counted, decimal, signed, span
from orchestrator.report.records import Evaluation, Stage, Study
from orchestrator.report.statistics import Interval, median_interval

_TERMS = ("rgb", "depth", "clip", "perceptual")


@dataclass(frozen=True)
class RecipeTime:
    """What a step of one recipe takes.

    Attributes:
        name: The recipe.
        seconds: Median over rounds.
        against: Median over rounds of the time relative to the first recipe's in the same round, minus 1, with its interval; None for
            the first.
        form: The form that all of its weighted terms share; None where they differ.
    """

    name: str
    seconds: float
    against: Interval | None
    form: str | None


@dataclass(frozen=True)
class Times:
    """A timing stage: its recipes, the first of which the others are compared with, and where they were timed."""

    stage: str
    rounds: int
    recipes: Sequence[RecipeTime]

    def ratio(self, form: str, other: str, seconds: Mapping[str, Sequence[float]]) -> Interval | None:
        """Returns how much longer a step takes with every term in one form than in another, minus 1, paired by round."""
        names = {recipe.form: recipe.name for recipe in self.recipes if recipe.form}
        if form not in names or other not in names:
            return None
        return relative(seconds[names[form]], seconds[names[other]])


def relative(seconds: Sequence[float], others: Sequence[float]) -> Interval | None:
    """Returns the median of `seconds` / `others` - 1 over rounds, with its interval."""
    return median_interval([mine / theirs - 1 for mine, theirs in zip(seconds, others, strict=True)])


def timings(study: Study) -> list[tuple[Times, Evaluation]]:
    """Returns what the study's timing stages measured."""
    found = [(stage, run.evaluation) for stage in study.of_kind("timing") for run in stage.runs if run.evaluation]
    return [(_times(stage, evaluation), evaluation) for stage, evaluation in found if evaluation.seconds]


def _times(stage: Stage, evaluation: Evaluation) -> Times:
    forms = {recipe["name"]: _form(recipe["objective"]) for recipe in evaluation.spec.get("recipes") or []}
    # The ledger's JSON is sorted by key; the spec has the order of the experiment.
    columns = {name: evaluation.seconds[name] for name in forms if name in evaluation.seconds} or evaluation.seconds
    first = next(iter(columns.values()))
    recipes = [
        RecipeTime(name, float(np.median(column)), None if column is first else relative(column, first), forms.get(name))
        for name, column in columns.items()
    ]
    return Times(stage.name, len(first), recipes)


def _form(objective: Mapping[str, Any]) -> str | None:
    """Only the terms that the report speaks of: colour, depth, embeddings, features."""
    terms = [objective.get(name) or {} for name in _TERMS]
    found = {term.get("form") for term in terms if term.get("weight")}
    return found.pop() if len(found) == 1 else None


def times_table(found: Times) -> Table:
    """Builds the table of seconds per step."""
    columns = (
        Column("Recipe", numeric=False),
        Column(
            "Time",
            "s a step \u2193",
            f"median over {counted(found.rounds, 'round')} in turns in one process; on a processor, the time it worked for this process",
        ),
        Column(f"Against {found.recipes[0].name}", "%, 95 %", "median of the ratios within a round; the interval of the sign test"),
    )
    rows = [
        Row([words(each.name), number(each.seconds, 4), number(_percent(each.against), 2, _span(each.against))]) for each in found.recipes
    ]
    return Table(f"Seconds a step: {found.stage}", columns, rows, name=f"times-{found.stage}")


def _percent(interval: Interval | None) -> float | None:
    return None if interval is None else 100 * interval.mean


def _span(interval: Interval | None) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return span(100 * interval.low, 100 * interval.high, 2, sign=True)


def percent_text(interval: Interval) -> str:
    """Returns a relative difference as `+1.2 % [+0.9, +1.6]`."""
    return f"{signed(100 * interval.mean, 2)} % {_span(interval)}".strip()


def time_words(found: Times) -> Iterator[str]:
    """Yields one sentence: which recipes take longer than the first, which less, and which cannot be told apart from it."""
    told = [each for each in found.recipes if each.against and each.against.excludes_zero]
    open_ = [each for each in found.recipes if each.against and not each.against.excludes_zero]
    parts = [f"{each.name} {_change(each.against)}" for each in told if each.against]
    if open_:
        parts.append(f"{', '.join(each.name for each in open_)} cannot be told apart from it")
    yield f"A step takes {decimal(found.recipes[0].seconds, 3)} s with {found.recipes[0].name}: {'; '.join(parts)}."


def _change(interval: Interval) -> str:
    return f"takes {decimal(100 * abs(interval.mean), 2)} % {'longer' if interval.mean > 0 else 'less'} {_span(interval)}"


def times_fields(found: Sequence[tuple[Times, Evaluation]]) -> list[dict[str, Any]]:
    """Returns the timings for `summary.json`; as they are measured, every field's name holds `seconds`."""
    return [
        {
            "stage": times.stage,
            "rounds": times.rounds,
            "seconds_per_step": {each.name: each.seconds for each in times.recipes},
            "relative_seconds": {
                each.name: [each.against.mean, each.against.low, each.against.high] for each in times.recipes if each.against
            },
        }
        for times, _ in found
    ]
