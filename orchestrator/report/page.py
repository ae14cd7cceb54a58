"""Puts results, charts and pictures into one HTML page that needs nothing else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.report import numbers, plots, tables, words
from orchestrator.report.cells import Table
from orchestrator.report.collect import read_pictures
from orchestrator.report.pictures import Sheet, depth_bar, evaluation_sheet, films, recipe_sheet
from orchestrator.report.plots import Panels
from orchestrator.report.records import Pictures, Stage, Study
from orchestrator.report.results import Headline, SpeciesRow
from orchestrator.report.statistics import LEAST_IMAGES
from orchestrator.report.variants import parts_sheets, variants, variants_table
from orchestrator.store import Store


@dataclass(frozen=True)
class Sweep:
    """A sweep on the page: its table and its rows of curves."""

    stage: Stage
    table: Table
    panels: Sequence[Panels]


def render_page(store: Store, study: Study, head: Headline | None, rows: Sequence[SpeciesRow], created: str) -> str:
    """Returns the page as HTML."""
    pictures, compared = read_pictures(store, head.evaluation) if head else None, variants(study)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            study=study,
            head=head,
            created=created,
            rows=rows,
            opening=words.opening(head),
            conclusions=words.conclusions(study, head, rows),
            cautions=words.cautions(study, head, rows),
            gain_chart=plots.gain_chart(head) if head else "",
            stage_table=tables.stage_table(study),
            variants_table=variants_table(compared) if compared else None,
            parts_sheets=parts_sheets(store, study, head),
            views_table=tables.views_table(rows),
            distribution_table=tables.distribution_table(rows),
            run_table=tables.run_table(study),
            films=films(pictures),
            sheet=evaluation_sheet(pictures, _sheet_caption(head)) if head and pictures else None,
            species_sheets=_species_sheets(store, rows),
            sweeps=[Sweep(stage, tables.trial_table(stage), plots.sweep_panels(stage)) for stage in study.of_kind("sweep")],
            trainings=[panels for stage in study.of_kind("train") if (panels := plots.training_panels(stage))],
            depth_bar=depth_bar(),
            least_images=LEAST_IMAGES,
            extractors=_extractors(head, rows),
            configuration=json.dumps(study.experiment, indent=2, sort_keys=True, ensure_ascii=False),
            command=reproduce_command(study),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchestrator.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(numbers=numbers, tables=tables, style=_asset("style.css"), script=_asset("page.js"))
    return environment


def _asset(name: str) -> Markup:
    # Our own files, not anything that came from outside.
    return Markup((files("orchestrator.report") / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704


def _sheet_caption(head: Headline | None) -> str:
    return f"Stage {head.stage}, {head.run.name}" if head else ""


def _species_sheets(store: Store, rows: Sequence[SpeciesRow]) -> list[Sheet]:
    by_species: dict[str, dict[str, Pictures]] = {}
    for row in rows:
        evaluation = next((run.evaluation for run in row.runs if run.evaluation), None)
        pictures = read_pictures(store, evaluation) if evaluation else None
        if pictures:
            by_species.setdefault(row.species, {})[row.recipe] = _only(pictures, row.species)
    sheets = [recipe_sheet(by_recipe, species) for species, by_recipe in by_species.items()]
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
