"""The networks of the front end on the page: curves of their losses, figures on held-out images, sheets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.report.cells import Cell, Column, Row, Table, number, words
from orchestrator.report.collect import read_pictures
from orchestrator.report.generated.sections import GeneratedSection, generated_sections
from orchestrator.report.numbers import counted, decimal, span
from orchestrator.report.pictures import Thumbnail, thumbnail
from orchestrator.report.plots import Panels, training_panels
from orchestrator.report.records import Evaluation, Stage, StageRun, Study
from orchestrator.report.statistics import bootstrap_mean
from orchestrator.report.tables import named
from orchestrator.store import Store

_NO_TERM = ("step", "seconds_per_step")
_SEEN = {"fd": "FD", "kid": "KID", "inception_score": "IS-like score", "precision": "precision", "recall": "recall"}
_ANSWER = "_of_"
"""Parts the name of a figure from that of a simple answer: `spearman_of_ramp` is what a ramp comes to."""


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
        generated: What it drew when it was asked for pictures, where that was measured.
    """

    heading: str
    table: Table | None
    curves: Panels | None
    sheets: Sequence[NetworkSheet]
    note: str
    generated: Sequence[GeneratedSection] = ()


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
        generated=generated_sections(store, list(stage.runs)),
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
    looked = f" Pictures are compared through {evaluation.extractor}." if evaluation.extractor else ""
    return f"Measured on {counted(evaluation.images, 'held-out image')}; brackets: 95 % bootstrap interval over images.{looked}{pictured}"


def _table(stage: Stage, measured: Sequence[tuple[StageRun, Evaluation]]) -> Table:
    """A row for each figure; simple answers to the same images, which are the same for every run, follow the runs."""
    names = list(dict.fromkeys(name for _, evaluation in measured for name in evaluation.metrics))
    answers = list(dict.fromkeys(name.partition(_ANSWER)[2] for name in names if _ANSWER in name))
    columns = [Column("Figure", numeric=False), *(Column(run.name) for run, _ in measured)]
    columns += [Column(_spoken(answer), hint="what this simple answer comes to on the same images") for answer in answers]
    rows = [
        Row(
            [
                words(_title(name, measured[0][1].extractor)),
                *(_figure(evaluation, name) for _, evaluation in measured),
                *(_figure(measured[0][1], f"{name}{_ANSWER}{answer}") for answer in answers),
            ]
        )
        for name in names
        if _ANSWER not in name
    ]
    return Table(f"Figures of {stage.name}", columns, rows, name=f"network-{stage.name}")


def network_words(study: Study) -> Iterator[str]:
    """Yields a sentence for each stage that trained a network: its figures, and those of simple answers beside them."""
    for stage in study.of_kind("network"):
        evaluation = next((run.evaluation for run in stage.runs if run.evaluation), None)
        if evaluation is not None:
            told = "; ".join(_told(evaluation, name) for name in evaluation.metrics if _ANSWER not in name)
            yield f"{stage.name}, on {counted(evaluation.images, 'held-out image')}: {told}."


def _told(evaluation: Evaluation, name: str) -> str:
    answers = {
        other.partition(_ANSWER)[2]: value for other, value in evaluation.metrics.items() if other.partition(_ANSWER)[:2] == (name, _ANSWER)
    }
    beside = ", ".join(f"{_spoken(answer)} {decimal(value, 3)}" for answer, value in answers.items())
    return f"{_title(name, evaluation.extractor)} {decimal(evaluation.metrics[name], 3)}{f' ({beside})' if beside else ''}"


def _title(name: str, extractor: str) -> str:
    """What is seen through a network carries that network's name."""
    return named(_SEEN[name], extractor) if extractor and name in _SEEN else _spoken(name)


def _spoken(name: str) -> str:
    return name.replace("_", " ")


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
