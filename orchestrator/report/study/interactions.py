"""Whether the effect of one setting depends on another: differences of differences, seed by seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.report.cells import Cell, Column, Row, Table, number, words
from orchestrator.report.numbers import interval_text
from orchestrator.report.plots import short_path, value_text
from orchestrator.report.statistics import CONFIDENCE, Interval, student_mean
from orchestrator.report.study.arms import Arm, Comparison
from orchestrator.report.study.effects import together
from orchestrator.report.study.measures import Measure


@dataclass(frozen=True)
class Interaction:
    """Two settings changed together, and what becomes of each change alone.

    Attributes:
        both: The arm with both changes.
        first: The arm with the first change only.
        second: The arm with the second change only.
        base: The arm with neither.
    """

    both: Arm
    first: Arm
    second: Arm
    base: Arm

    def of(self, metric: str, confidence: float = CONFIDENCE) -> Interval | None:
        """Returns how much more both changes do than each of them alone together, paired by seed, with Student's interval."""
        columns = [arm.by_seed(metric) for arm in (self.both, self.first, self.second, self.base)]
        seeds = [seed for seed in columns[0] if all(seed in column for column in columns)]
        return student_mean([columns[0][seed] - columns[1][seed] - columns[2][seed] + columns[3][seed] for seed in seeds], confidence)


def interactions(found: Sequence[Comparison]) -> list[Interaction]:
    """Returns every pair of changes that a sweep over two settings made alone and together."""
    return [each for comparison in found if len(comparison.paths) == 2 for each in _interactions(comparison)]


def _interactions(comparison: Comparison) -> Iterator[Interaction]:
    first, second = comparison.paths
    ones = {repr(arm.values[first]): arm for arm in comparison.varying(first)[1:]}
    others = {repr(arm.values[second]): arm for arm in comparison.varying(second)[1:]}
    for arm in comparison.arms:
        one, other = ones.get(repr(arm.values.get(first))), others.get(repr(arm.values.get(second)))
        if one is not None and other is not None:
            yield Interaction(arm, one, other, comparison.base)


def interactions_table(found: Sequence[Interaction], measures: Sequence[Measure]) -> Table:
    """Builds the table of both changes together: their mean, and what they do beyond each alone."""
    columns = (
        Column("Together", numeric=False),
        *(Column(measure.heading, measure.unit_text, measure.hint) for measure in measures),
    )
    rows = [Row([words(_label(each)), *(_cell(each, measure) for measure in measures)]) for each in found]
    return Table("Two changes together", columns, rows, name="interactions")


def _label(interaction: Interaction) -> str:
    return ", ".join(f"{short_path(path)} {value_text(value)}" for path, value in interaction.both.values.items())


def _cell(interaction: Interaction, measure: Measure) -> Cell:
    mean, beyond = interaction.both.mean(measure.name), interaction.of(measure.name)
    return number(mean.mean if mean else None, measure.digits, interval_text(beyond, measure.digits, sign=True) if beyond else "")


def interaction_words(found: Sequence[Interaction], measures: Sequence[Measure]) -> Iterator[str]:
    """Yields one sentence: where two changes do something together that they do not do alone, judged in intervals that hold together."""
    if not found:
        return
    confidence = together(len(found) * len(measures))
    told = [f"{_label(each)}: {measure.heading}" for each in found for measure in measures if _is_told(each.of(measure.name, confidence))]
    if told:
        yield f"Two changes do more or less together than each alone in {'; '.join(told)}."
    else:
        yield "No two changes do anything together that they do not do alone, as far as these seeds tell."


def _is_told(interval: Interval | None) -> bool:
    return interval is not None and interval.excludes_zero
