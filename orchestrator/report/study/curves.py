"""Training curves by loss form, means over seeds with bands [G3DR report, figure 4]."""

from collections.abc import Iterator, Sequence

from orchestrator.report.numbers import counted
from orchestrator.report.plots import Panel, Panels
from orchestrator.report.statistics import student_mean
from orchestrator.report.study.arms import Arm
from orchestrator.report.study.effects import Factor
from orchestrator.report.svg import Line, line_chart

_MARK = "_as_"
_LEAST_POINTS = 3


def form_panels(factors: Sequence[Factor]) -> list[Panels]:
    """Returns, for each setting that is a loss form, a row of panels: its term in each of the forms in which all arms logged it."""
    rows = [_row(factor) for factor in factors if factor.path.endswith(".form")]
    return [row for row in rows if row.panels]


def _row(factor: Factor) -> Panels:
    panels = [_panel(factor, name) for name in _logged(factor)]
    legend = [(index, f"trained with {factor.value(arm)}") for index, arm in enumerate(factor.arms)]
    return Panels(f"{factor.name} over the steps, by the form that was trained with", [panel for panel in panels if panel], legend)


def _logged(factor: Factor) -> list[str]:
    """Names of the setting's term in every form, canonical and novel, as all arms logged them."""
    term = factor.path.removeprefix("objective.").removesuffix(".form")
    found = [set(_names(arm, term)) for arm in factor.arms]
    return sorted(set.intersection(*found)) if found else []


def _names(arm: Arm, term: str) -> Iterator[str]:
    for run in arm.runs.values():
        for row in run.curve:
            yield from (name for name in row if _MARK in name and _is_of(name.split(_MARK)[0], term))


def _is_of(name: str, term: str) -> bool:
    """Whether a logged name belongs to a term; embeddings carry the name of their network."""
    plain = name.removeprefix("novel_")
    return plain == term or (term == "clip" and plain.startswith("embedding("))


def _panel(factor: Factor, name: str) -> Panel | None:
    lines = [_line(factor.value(arm), arm, name, index) for index, arm in enumerate(factor.arms)]
    if all(len(line.points) < _LEAST_POINTS for line in lines):
        return None
    term, form = name.split(_MARK)
    chart = line_chart(
        lines, title=f"{term} measured as {form} over the steps, by the form trained with", x_label="step", width=250, height=180
    )
    seeds = min(len(arm.runs) for arm in factor.arms)
    return Panel(f"{term} measured as {form}", f"mean of {counted(seeds, 'seed')}, band 95 %", chart)


def _line(label: str, arm: Arm, name: str, style: int) -> Line:
    by_step: dict[float, list[float]] = {}
    for run in arm.runs.values():
        for row in run.curve:
            if "step" in row and name in row:
                by_step.setdefault(row["step"], []).append(row[name])
    found = [
        (step, interval) for step, values in sorted(by_step.items()) if (interval := student_mean(values)) and interval.low is not None
    ]
    points = [(step, interval.mean) for step, interval in found]
    band = [(step, interval.low or 0.0, interval.high or 0.0) for step, interval in found if interval.count >= interval.least]
    return Line(label, points, style, band=band)
