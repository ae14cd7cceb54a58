"""The networks of the front end on the page: curves of their losses, figures on held-out images, sheets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.report.cells import Cell, Column, Row, Table, number, words
from orchestrator.report.collect import read_pictures
from orchestrator.report.numbers import counted, span, title_case
from orchestrator.report.pictures import Thumbnail, thumbnail
from orchestrator.report.plots import Panels, training_panels
from orchestrator.report.records import Evaluation, Stage, StageRun, Study
from orchestrator.report.statistics import bootstrap_mean
from orchestrator.store import Store

_NO_TERM = ("step", "seconds_per_step")


@dataclass(frozen=True)
class NetworkSheet:
    """A contact sheet with what it shows."""

    caption: str
    picture: Thumbnail


@dataclass(frozen=True)
class NetworkSection:
    """A stage that trained a network.

    Attributes:
        heading: The stage and what it trains.
        table: Its figures, a column for each run; None before one is measured.
        curves: Its loss terms; None where nothing was logged.
        sheets: Pictures of its first measured run.
        note: Of how many images, and which run the pictures are of.
    """

    heading: str
    table: Table | None
    curves: Panels | None
    sheets: Sequence[NetworkSheet]
    note: str


def network_sections(store: Store, study: Study) -> list[NetworkSection]:
    """Returns a section for every stage that trains a network of the front end and has begun."""
    return [_section(store, stage) for stage in study.of_kind("network") if stage.runs]


def _section(store: Store, stage: Stage) -> NetworkSection:
    measured = [(run, run.evaluation) for run in stage.runs if run.evaluation]
    first = measured[0] if measured else None
    return NetworkSection(
        heading=f"{stage.name}: {_kind(stage)}",
        table=_table(stage, measured) if measured else None,
        curves=training_panels(stage, _terms(stage)),
        sheets=list(_sheets(store, first[1])) if first else [],
        note=_note(measured),
    )


def _kind(stage: Stage) -> str:
    network: Mapping[str, Any] = next((run.spec["network"] for run in stage.runs if run.spec.get("network")), {})
    return f"{network.get('kind', 'a')} network"


def _terms(stage: Stage) -> list[str]:
    """What was logged, the whole loss first."""
    logged = dict.fromkeys(name for run in stage.runs for row in run.curve[:1] for name in row if name not in _NO_TERM)
    return sorted(logged, key=lambda name: name != "loss")


def _note(measured: Sequence[tuple[StageRun, Evaluation]]) -> str:
    if not measured:
        return "No run of this stage has been measured yet."
    run, evaluation = measured[0]
    pictured = f" The pictures are those of {run.name}." if len(measured) > 1 else ""
    return f"Measured on {counted(evaluation.images, 'held-out image')}; brackets: 95 % bootstrap interval over images.{pictured}"


def _table(stage: Stage, measured: Sequence[tuple[StageRun, Evaluation]]) -> Table:
    names = dict.fromkeys(name for _, evaluation in measured for name in evaluation.metrics)
    columns = [Column("Figure", numeric=False), *(Column(run.name) for run, _ in measured)]
    rows = [Row([words(title_case(name)), *(_figure(evaluation, name) for _, evaluation in measured)]) for name in names]
    return Table(f"Figures of {stage.name}", columns, rows, name=f"network-{stage.name}")


def _figure(evaluation: Evaluation, name: str) -> Cell:
    found = bootstrap_mean(evaluation.per_image[name]) if name in evaluation.per_image else None
    return number(evaluation.metrics.get(name), 4, span(found.low, found.high, 4) if found else "")


def _sheets(store: Store, evaluation: Evaluation) -> Iterator[NetworkSheet]:
    pictures = read_pictures(store, evaluation)
    for position, caption in enumerate(evaluation.sheets):
        sheet = pictures.arrays.get(f"sheet_{position}") if pictures else None
        if sheet is not None:
            yield NetworkSheet(caption, thumbnail(sheet, caption))


def network_fields(study: Study) -> list[dict[str, Any]]:
    """Returns the figures for `summary.json`."""
    return [
        {"stage": stage.name, "run": run.run, "seed": run.seed, "images": run.evaluation.images, **run.evaluation.metrics}
        for stage in study.of_kind("network")
        for run in stage.runs
        if run.evaluation
    ]
