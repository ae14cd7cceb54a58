"""What one change does: every arm of a sweep against the experiment's own settings, seed by seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.report.cells import Cell, Column, Mark, Row, Table, number, words
from orchestrator.report.numbers import decimal, interval_text
from orchestrator.report.plots import short_path, value_text
from orchestrator.report.statistics import CONFIDENCE, Interval
from orchestrator.report.study.arms import Arm, Comparison
from orchestrator.report.study.measures import Measure, known_measures


@dataclass(frozen=True)
class Factor:
    """One setting that a sweep varied, the others as the experiment has them.

    Attributes:
        path: The setting.
        arms: One per value, the experiment's own first.
        stage: The sweep.
    """

    path: str
    arms: Sequence[Arm]
    stage: str

    @property
    def name(self) -> str:
        """The setting in short words."""
        return short_path(self.path)

    @property
    def base(self) -> Arm:
        """The arm that the others are compared with."""
        return self.arms[0]

    def value(self, arm: Arm) -> str:
        """Returns the setting's value in an arm, as text."""
        return value_text(arm.values[self.path])


def factors(found: Sequence[Comparison]) -> list[Factor]:
    """Returns every setting of every sweep that was varied alone."""
    alone = [Factor(path, comparison.varying(path), comparison.stage) for comparison in found for path in comparison.paths]
    return [factor for factor in alone if len(factor.arms) > 1]


def measures_of(found: Sequence[Comparison]) -> list[Measure]:
    """Returns the measures that any run of the sweeps has."""
    return known_measures(name for comparison in found for name in comparison.metrics)


def effects_table(found: Sequence[Factor], measures: Sequence[Measure]) -> Table:
    """Builds the table of settings and their values against every measure: mean over seeds, under it the paired difference."""
    columns = (
        Column("Setting", numeric=False),
        Column("Value", numeric=False),
        Column("Seeds"),
        *(Column(measure.heading, measure.unit_text, measure.hint) for measure in measures),
    )
    rows = [_row(factor, arm, measures) for factor in found for arm in factor.arms]
    return Table("One change at a time", columns, rows, name="one-change-at-a-time", baseline="the experiment's own setting")


def _row(factor: Factor, arm: Arm, measures: Sequence[Measure]) -> Row:
    own = arm is factor.base
    value = words(factor.value(arm), detail="own" if own else "", hint="the experiment's own setting" if own else "")
    return Row([words(factor.name), value, number(len(arm.runs), 0), *(_cell(factor, arm, measure) for measure in measures)], own)


def _cell(factor: Factor, arm: Arm, measure: Measure) -> Cell:
    mean = arm.mean(measure.name)
    if arm is factor.base or mean is None:
        return number(mean.mean if mean else None, measure.digits)
    against = arm.against(factor.base, measure.name)
    return number(mean.mean, measure.digits, interval_text(against, measure.digits, sign=True), mark_of(measure, against))


def mark_of(measure: Measure, against: Interval | None) -> Mark:
    """Returns a mark only where the interval excludes zero and a direction is better."""
    if measure.better == "neither" or against is None or not against.excludes_zero:
        return ""
    return "better" if measure.improves(against.mean) else "worse"


@dataclass(frozen=True)
class Winner:
    """Which value of a factor is best in a measure.

    Attributes:
        best: The arm with the best mean.
        rivals: Arms that cannot be told apart from it.
    """

    best: Arm
    rivals: Sequence[Arm]


def winner(factor: Factor, measure: Measure) -> Winner | None:
    """Returns the best arm and those that the intervals do not tell apart from it; None for a measure without a direction.

    The best is compared with each of the others in intervals that hold together at 95 % (Bonferroni): it was picked by the same numbers.
    """
    means = {index: arm.mean(measure.name) for index, arm in enumerate(factor.arms)}
    known = {index: interval.mean for index, interval in means.items() if interval is not None}
    if measure.better == "neither" or len(known) < 2:
        return None
    best = factor.arms[(max if measure.better == "more" else min)(known, key=lambda index: known[index])]
    others = [factor.arms[index] for index in known if factor.arms[index] is not best]
    confidence = together(len(others))
    return Winner(best, [arm for arm in others if not _separates(best.against(arm, measure.name, confidence))])


def together(count: int) -> float:
    """Returns the confidence of each of `count` intervals that hold together at 95 % (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / max(1, count)


def _separates(interval: Interval | None) -> bool:
    return interval is not None and interval.excludes_zero


def winners_table(found: Sequence[Factor], measures: Sequence[Measure]) -> Table:
    """Builds the table of which value wins which measure, and where nothing can be told apart."""
    directed = [measure for measure in measures if measure.better != "neither"]
    columns = (Column("Setting", numeric=False), *(Column(each.heading, each.unit_text, each.hint, numeric=False) for each in directed))
    rows = [Row([words(factor.name), *(_winner_cell(factor, measure) for measure in directed)]) for factor in found]
    return Table("Which value wins", columns, rows, name="which-value-wins")


def _winner_cell(factor: Factor, measure: Measure) -> Cell:
    found = winner(factor, measure)
    if found is None:
        return words("")
    if not found.rivals:
        return words(factor.value(found.best))
    rivals = ", ".join(factor.value(arm) for arm in found.rivals)
    return replace(words("not to be told apart"), detail=f"{factor.value(found.best)}; {rivals}")


def effect_words(found: Sequence[Factor], measures: Sequence[Measure]) -> Iterator[str]:
    """Yields a sentence for each setting: what differs from the experiment's own value, and what does not."""
    for factor in found:
        sentences = [_arm_words(factor, arm, measures) for arm in factor.arms[1:]]
        yield f"{factor.name}, against {factor.value(factor.base)}: {'; '.join(sentences)}."


def _arm_words(factor: Factor, arm: Arm, measures: Sequence[Measure]) -> str:
    intervals = {measure: arm.against(factor.base, measure.name) for measure in measures}
    told = [_told(measure, interval) for measure, interval in intervals.items() if interval is not None and interval.excludes_zero]
    return f"{factor.value(arm)} {', '.join(told) if told else 'shows no difference'}"


def _told(measure: Measure, interval: Interval) -> str:
    change = "raises" if interval.mean > 0 else "lowers"
    return f"{change} {measure.heading} by {decimal(abs(interval.mean), measure.digits)}"


def effect_fields(found: Sequence[Factor], measures: Sequence[Measure]) -> list[Mapping[str, object]]:
    """Returns the table of effects for `summary.json`."""
    return [
        {
            "stage": factor.stage,
            "setting": factor.path,
            "value": arm.values[factor.path],
            "seeds": sorted(arm.runs),
            **{measure.name: _mean(arm.mean(measure.name)) for measure in measures},
            "against_own": {measure.name: _fields(arm.against(factor.base, measure.name)) for measure in measures}
            if arm is not factor.base
            else {},
        }
        for factor in found
        for arm in factor.arms
    ]


def _mean(interval: Interval | None) -> float | None:
    return interval.mean if interval else None


def _fields(interval: Interval | None) -> list[float | None] | None:
    return [interval.mean, interval.low, interval.high] if interval else None
