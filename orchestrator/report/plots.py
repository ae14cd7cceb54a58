"""Which curves the page shows: the pretraining's terms, and the sweep's losses, one panel per loss form.

Losses of different forms have different units, so each form has a panel and a scale of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from orchestrator.report.numbers import counted, decimal
from orchestrator.report.records import Stage, StageRun
from orchestrator.report.results import Headline
from orchestrator.report.statistics import mean_of
from orchestrator.report.svg import STYLES, Line, dot_chart, line_chart

TERMS = ("loss", "rgb", "depth", "clip", "perceptual", "pooled_rgb", "tv", "opacity")
_FORM_AXIS = ("objective.", ".form")


@dataclass(frozen=True)
class Panel:
    """One small chart with a heading and a line under it."""

    heading: str
    note: str
    chart: Markup


@dataclass(frozen=True)
class Panels:
    """A row of small charts that share a legend.

    Attributes:
        heading: What varies from panel to panel.
        panels: The charts.
        legend: (style, label) of the curves.
        more: Curves beyond the legend's styles, which repeat colours.
    """

    heading: str
    panels: Sequence[Panel]
    legend: Sequence[tuple[int, str]]
    more: int = 0


def training_panels(stage: Stage, terms: Sequence[str] = TERMS) -> Panels | None:
    """Returns one panel per logged term of a training; every run of the stage is a curve."""
    named = [(run.name, run) for run in stage.runs if run.curve]
    panels = [_term_panel(term, named) for term in terms]
    drawn = [panel for panel in panels if panel]
    legend = [(index, name) for index, (name, _) in enumerate(named[:STYLES])] if len(named) > 1 else []
    return Panels(stage.name, drawn, legend, max(0, len(named) - STYLES)) if drawn else None


def _term_panel(term: str, named: Sequence[tuple[str, StageRun]]) -> Panel | None:
    chart = line_chart(
        [Line(name, curve_of(run, term), index) for index, (name, run) in enumerate(named)],
        title=f"{term} over the steps of the training",
        x_label="step",
    )
    last = [points[-1][1] for points in (curve_of(run, term) for _, run in named) if points]
    return Panel(term, f"last {decimal(mean_of(last), 4)}", chart) if chart else None


def curve_of(run: StageRun, term: str) -> list[tuple[float, float]]:
    """Returns (step, value) where the term was logged."""
    return [(row["step"], row[term]) for row in run.curve if "step" in row and term in row]


def sweep_panels(stage: Stage) -> list[Panels]:
    """Returns a row of panels for each loss form that the sweep varies, or one panel of total losses if it varies none."""
    rows = [_form_panels(stage, path) for path in _axes(stage) if path.startswith(_FORM_AXIS[0]) and path.endswith(_FORM_AXIS[1])]
    found = [row for row in rows if row.panels]
    return found or [row for row in [_total_panel(stage)] if row.panels]


def _axes(stage: Stage) -> list[str]:
    return list(dict.fromkeys(path for run in stage.runs for path in run.assignment))


def _form_panels(stage: Stage, path: str) -> Panels:
    term = path.removeprefix(_FORM_AXIS[0]).removesuffix(_FORM_AXIS[1])
    others = list(dict.fromkeys(others_label(run.assignment, path) for run in stage.runs))
    panels = []
    for form in dict.fromkeys(run.assignment.get(path) for run in stage.runs):
        runs = [run for run in stage.runs if run.assignment.get(path) == form]
        lines = [_trial_line(run, term, others.index(others_label(run.assignment, path)), stage) for run in runs]
        chart = line_chart(lines, title=f"{term} loss as {form}", x_label="step", width=250, height=180)
        if chart:
            panels.append(Panel(f"{term} = {form}", _pace(runs), chart))
    named = [label for label in others if label]
    return Panels(f"{term} loss, by its form", panels, list(enumerate(named[:STYLES])), max(0, len(named) - STYLES))


def others_label(assignment: Mapping[str, Any], path: str) -> str:
    """Returns what a trial chose besides `path`, in short words."""
    return ", ".join(f"{short_path(other)} {value_text(value)}" for other, value in assignment.items() if other != path)


def short_path(path: str) -> str:
    """Returns a dotted path without the parts that say little: `objective.rgb.form` becomes `rgb`."""
    return path.removeprefix("objective.").removeprefix("training.").removesuffix(".form")


def value_text(value: object) -> str:
    """Returns a setting's value as text; floats in at most four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _trial_line(run: StageRun, term: str, style: int, stage: Stage) -> Line:
    return Line(f"{run.name} ({run.state})", curve_of(run, term), style, bold=run.run == stage.best)


def _pace(runs: Sequence[StageRun]) -> str:
    pace = mean_of([run.seconds_per_step for run in runs])
    speed = f"{decimal(pace, 3)} s a step, " if pace is not None else ""
    return f"{speed}{counted(len(runs), 'trial')}"


def _total_panel(stage: Stage) -> Panels:
    lines = [_trial_line(run, "loss", index, stage) for index, run in enumerate(stage.runs)]
    chart = line_chart(lines, title="total loss of every trial", x_label="step", width=620, height=240)
    legend = [(index, run.name) for index, run in enumerate(stage.runs[:STYLES])]
    return Panels(
        "total loss of every trial", [Panel("loss", _pace(stage.runs), chart)] if chart else [], legend, max(0, len(stage.runs) - STYLES)
    )


def gain_chart(head: Headline) -> Markup:
    """Draws how much better than the copied input each image's novel views are, by species."""
    return dot_chart(
        list(head.gains.items()),
        title="gain over the copied input for each image, by species",
        x_label="gain over copying the input, dB (one dot per image)",
    )
