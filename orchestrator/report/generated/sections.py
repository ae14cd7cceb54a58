"""Generated sets on an experiment's page: what a denoiser drew for `g3dr generate --evaluate`, with its figures and its sheet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from g3dr.errors import DataError
from g3dr.pictures import decode_image
from orchestrator.ledger import generated
from orchestrator.report.cells import Table
from orchestrator.report.generated.records import GeneratedSet, read_set
from orchestrator.report.generated.tables import figures_table
from orchestrator.report.generated.words import opening
from orchestrator.report.numbers import counted
from orchestrator.report.pictures import Thumbnail, thumbnail
from orchestrator.report.records import StageRun, Study
from orchestrator.store import Store


@dataclass(frozen=True)
class GeneratedSection:
    """A generated set.

    Attributes:
        heading: What it shows, and of which run.
        opening: Its main result in a sentence.
        table: Its figures.
        sheet: Its first pictures; None if they are gone.
        note: How it was drawn.
    """

    heading: str
    opening: str
    table: Table
    sheet: Thumbnail | None
    note: str


def generated_sections(store: Store, runs: list[StageRun]) -> list[GeneratedSection]:
    """Returns a section for each measured set that one of the runs drew."""
    return [section for run in runs for section in _of_run(store, run, several=len(runs) > 1)]


def _of_run(store: Store, run: StageRun, *, several: bool) -> Iterator[GeneratedSection]:
    for made in map(read_set, run.generated):
        if made.comparison:
            table = figures_table(made.comparison)
            heading = f"Drawn by {run.name}: {made.title}" if several else f"Drawn: {made.title}"
            yield GeneratedSection(heading, opening(made), table, _sheet(store, run.run, made), _note(made))


def _sheet(store: Store, run: str, made: GeneratedSet) -> Thumbnail | None:
    try:
        picture = decode_image(store.read_bytes(generated.sheet_path(run, made.id)))
    except (FileNotFoundError, DataError):
        return None
    return thumbnail(picture, f"Pictures that were drawn: {made.title}")


def _note(made: GeneratedSet) -> str:
    settings = ", ".join(f"{name} {value}" for name in ("sampler", "steps", "guidance") if (value := made.settings.get(name)) is not None)
    seeds = [drawing.seed for drawing in made.drawings]
    chosen = f"the best of {made.candidates} by {made.judge}, " if made.candidates > 1 else ""
    drawn = f"seeds {min(seeds)} to {max(seeds)}, " if seeds else ""
    weights = f"; weights {str(made.model['denoiser'])[:8]}" if made.model.get("denoiser") else ""
    return f"{counted(len(made.drawings), 'picture')}, {chosen}{drawn}{settings}{weights}. Set {made.id}."


def generated_fields(study: Study) -> list[dict[str, Any]]:
    """Returns the figures of all sets for `summary.json`."""
    return [
        {
            "stage": stage.name,
            "run": run.run,
            "set": made.id,
            "pictures": len(made.drawings),
            "subjects": list(made.subjects),
            "images": made.comparison.images,
            "extractor": made.comparison.extractor,
            **made.comparison.metrics,
        }
        for stage in study.of_kind("network")
        for run in stage.runs
        for made in map(read_set, run.generated)
        if made.comparison
    ]
