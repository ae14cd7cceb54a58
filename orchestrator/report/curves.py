"""Quality over the steps of a training, where it was measured while it went on."""

from collections.abc import Sequence

from orchestrator.report.numbers import counted, decimal
from orchestrator.report.plots import Panel, Panels
from orchestrator.report.records import Stage, StageRun
from orchestrator.report.statistics import mean_of
from orchestrator.report.svg import STYLES, Line, line_chart
from orchestrator.report.tables import kernel_digits, named

# Metric, heading with its direction, digits; the first two carry the name of their extractor.
_MEASURED = (
    ("kid", "KID", "\u2193", 4),
    ("inception_score", "IS", "\u2191", 2),
    ("nfs", "NFS", "", 1),
    ("novel_psnr", "Novel views, PSNR, dB", "\u2191", 2),
    ("canonical_psnr", "Input view, PSNR, dB", "\u2191", 2),
    ("depth_rmse", "Depth RMSE", "\u2193", 3),
)


def measured_panels(stage: Stage) -> Panels | None:
    """Returns a panel for each metric that was measured during the stage's trainings, every run a curve; None if nothing was."""
    runs = [run for run in stage.runs if run.measured]
    panels = [panel for panel in (_panel(runs, *metric) for metric in _MEASURED) if panel]
    legend = [(index, run.name) for index, run in enumerate(runs[:STYLES])] if len(runs) > 1 else []
    return Panels(f"{stage.name}: measured while it trained", panels, legend, max(0, len(runs) - STYLES)) if panels else None


def _panel(runs: Sequence[StageRun], metric: str, heading: str, direction: str, digits: int) -> Panel | None:
    lines = [Line(run.name, _points(run, metric), index) for index, run in enumerate(runs)]
    extractors = {run.evaluation.extractor for run in runs if run.evaluation and run.evaluation.extractor}
    name = named(heading, extractors.pop() if len(extractors) == 1 else "") if metric in ("kid", "inception_score") else heading
    chart = line_chart(lines, title=f"{name} over the steps of the training", x_label="step", width=300, height=190)
    last = mean_of([line.points[-1][1] for line in lines if line.points])
    note = f"last {decimal(last, kernel_digits(last) if metric == 'kid' else digits)}, {counted(len(lines), 'run')}"
    return Panel(f"{name} {direction}".strip(), note, chart) if chart else None


def _points(run: StageRun, metric: str) -> list[tuple[float, float]]:
    return [(row["step"], row[metric]) for row in run.measured if "step" in row and metric in row]
