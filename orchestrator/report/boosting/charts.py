"""Charts of a study of boosting: every picture a dot, one chart for each kind of error."""

from orchestrator.report.boosting.records import MEASURES, Measured
from orchestrator.report.numbers import counted
from orchestrator.report.plots import Panel
from orchestrator.report.svg import dot_chart

_LABELS = 156


def error_charts(measured: Measured) -> list[Panel]:
    """Returns a chart for each kind of error, a row for each variant."""
    return [_chart(measured, measure, heading, hint) for measure, heading, hint in MEASURES]


def _chart(measured: Measured, measure: str, heading: str, hint: str) -> Panel:
    rows = [(variant, measured.values(variant, measure)) for variant in measured.errors]
    dots = f"one dot a picture, {counted(measured.pictures, 'picture')}"
    chart = dot_chart(rows, title=f"{heading}: {hint}", x_label=f"{heading.lower()} ({dots})", labels=_LABELS, unit="", digits=4)
    return Panel(heading, hint, chart)
