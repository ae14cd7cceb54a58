"""Puts results, charts and pictures into one HTML page that needs nothing else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.planning.prices import Prices
from orchestrator.report import plots, tables, words
from orchestrator.report.cells import Table
from orchestrator.report.collect import read_pictures
from orchestrator.report.curves import measured_panels
from orchestrator.report.models import models
from orchestrator.report.networks import network_sections
from orchestrator.report.pictures import Sheet, depth_bar, evaluation_sheet, films, recipe_sheet
from orchestrator.report.placing import Tables
from orchestrator.report.plots import Panels
from orchestrator.report.provenance import origins, spent, weights
from orchestrator.report.records import Pictures, Stage, Study
from orchestrator.report.results import Headline, SpeciesRow
from orchestrator.report.species import report_table
from orchestrator.report.statistics import LEAST_IMAGES
from orchestrator.report.study import Analysis, analyse
from orchestrator.report.templating import render
from orchestrator.report.variants import parts_sheets, variants, variants_table
from orchestrator.store import Store


@dataclass(frozen=True)
class Sweep:
    """A sweep on the page: its table and its rows of curves."""

    stage: Stage
    table: Table
    panels: Sequence[Panels]


@dataclass(frozen=True)
class Page:
    """A written page and what lies beside it.

    Attributes:
        html: The page.
        tables: File name to content of every table on it.
    """

    html: str
    tables: Mapping[str, str]


def render_page(
    store: Store, study: Study, head: Headline | None, rows: Sequence[SpeciesRow], created: str, *, prices: Prices | None = None
) -> Page:
    """Returns the page."""
    placed = Tables()
    shown = _contents_of_page(store, study, head, rows) | {"spent": spent(study, prices), "created": created}
    html = render("page.html.j2", title=study.name, place=placed.place, contents=list(_anchors(shown)), **shown)
    return Page(html, placed.files())


def _contents_of_page(store: Store, study: Study, head: Headline | None, rows: Sequence[SpeciesRow]) -> dict[str, Any]:
    analysis = analyse(study)
    return {
        "study": study,
        "head": head,
        "rows": rows,
        "depth_bar": depth_bar(),
        "table_files": True,
        **_words(study, head, rows, analysis),
        **_tables(study, rows),
        "analysis": analysis,
        **_pictures(store, study, head, rows),
        **_curves(study, head),
        "networks": network_sections(store, study),
        **_lineage(study, head, rows),
    }


def _words(study: Study, head: Headline | None, rows: Sequence[SpeciesRow], analysis: Analysis | None) -> dict[str, Any]:
    return {
        "opening": words.opening(study, head, analysis.claims if analysis else ()),
        "conclusions": words.conclusions(study, head, rows),
        "cautions": words.cautions(study, head, rows),
        "least_images": LEAST_IMAGES,
    }


def _tables(study: Study, rows: Sequence[SpeciesRow]) -> dict[str, Any]:
    compared = variants(study)
    return {
        "stage_table": tables.stage_table(study),
        "variants_table": variants_table(compared) if compared else None,
        "report_table": report_table(rows),
        "views_table": tables.views_table(rows),
        "distribution_table": tables.distribution_table(rows),
        "run_table": replace(tables.run_table(study), name="runs"),
        "sweeps": [Sweep(stage, tables.trial_table(stage), plots.sweep_panels(stage)) for stage in study.of_kind("sweep")],
    }


def _pictures(store: Store, study: Study, head: Headline | None, rows: Sequence[SpeciesRow]) -> dict[str, Any]:
    pictures = read_pictures(store, head.evaluation) if head else None
    return {
        "films": films(pictures),
        "sheet": _evaluation_sheet(study, head, pictures) if head and pictures else None,
        "models": models(store, study, head, rows),
        "parts_sheets": parts_sheets(store, study, head),
        "species_sheets": _species_sheets(store, study, rows),
    }


def _curves(study: Study, head: Headline | None) -> dict[str, Any]:
    return {
        "gain_chart": plots.gain_chart(head) if head else "",
        "trainings": [panels for stage in study.of_kind("train") if (panels := plots.training_panels(stage))],
        "measured": [panels for stage in study.stages if stage.kind != "evaluate" and (panels := measured_panels(stage))],
    }


def _lineage(study: Study, head: Headline | None, rows: Sequence[SpeciesRow]) -> dict[str, Any]:
    return {
        "extractors": _extractors(head, rows),
        "weights": weights(study),
        "origins": origins(study),
        "configuration": json.dumps(study.experiment, indent=2, sort_keys=True, ensure_ascii=False),
        "command": reproduce_command(study),
    }


def _anchors(shown: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the anchor and the name of each section that the page has, in their order."""
    sections = (
        ("pictures", "Pictures", shown["films"] or shown["sheet"] or shown["models"]),
        ("stages", "What was run", True),
        ("compared", "Compared over seeds", shown["analysis"]),
        ("variants", "Trainings side by side", shown["variants_table"]),
        ("parts", "Parts", shown["parts_sheets"]),
        ("species", "Species", shown["rows"]),
        ("networks", "Networks of the front end", shown["networks"]),
        ("meaning", "What it says", True),
        *((f"sweep-{index}", f"Sweep: {sweep.stage.name}", True) for index, sweep in enumerate(shown["sweeps"], start=1)),
        ("training", "Training", shown["trainings"] or shown["measured"]),
        ("lineage", "Origin", True),
    )
    return ((anchor, name) for anchor, name, there in sections if there)


def _evaluation_sheet(study: Study, head: Headline, pictures: Pictures) -> Sheet:
    return evaluation_sheet(pictures, f"Stage {head.stage}, {head.run.name}", depth_label=study.depth_of(head.evaluation).label)


def _species_sheets(store: Store, study: Study, rows: Sequence[SpeciesRow]) -> list[Sheet]:
    by_species: dict[str, dict[str, Pictures]] = {}
    labels: dict[str, str] = {}
    for row in rows:
        evaluation = next((run.evaluation for run in row.runs if run.evaluation), None)
        pictures = read_pictures(store, evaluation) if evaluation else None
        if pictures:
            by_species.setdefault(row.species, {})[row.recipe] = _only(pictures, row.species)
            labels[row.species] = study.depth_of(evaluation).label
    sheets = [recipe_sheet(by_recipe, species, depth_label=labels[species]) for species, by_recipe in by_species.items()]
    return [sheet for sheet in sheets if sheet and sheet.rows]


def _only(pictures: Pictures, species: str) -> Pictures:
    kept = [index for index, name in enumerate(pictures.species) if name == species] or list(range(len(pictures.keys)))
    arrays = {name: array[[index for index in kept if index < len(array)]] for name, array in pictures.arrays.items()}
    return Pictures(
        [pictures.keys[index] for index in kept], [pictures.species[index] for index in kept if index < len(pictures.species)], arrays
    )


def _extractors(head: Headline | None, rows: Sequence[SpeciesRow]) -> list[tuple[str, str]]:
    found = [(row.extractor, row.extractor_hash) for row in rows]
    if head:
        found.append((head.evaluation.extractor, head.evaluation.extractor_hash))
    return sorted({pair for pair in found if pair[0]})


def reproduce_command(study: Study) -> str:
    """Returns the shell lines that make this report again."""
    commit = study.git.get("commit")
    lines = [f"git checkout {commit}"] if commit else []
    source: Any = study.experiment.get("file") or f"experiments/{study.name}.yaml"
    return "\n".join([*lines, f"g3dr run {source} --root {study.root}", f"g3dr report {study.name} --root {study.root}"])
