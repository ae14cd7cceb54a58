"""Builds the page of a generated set and writes it beside the pictures."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.report.clock import now
from orchestrator.report.generated import tables, words
from orchestrator.report.generated.origin import origin
from orchestrator.report.generated.pictures import contact_sheets, models, samples_sheet
from orchestrator.report.generated.records import Comparison, GeneratedSet, read_set
from orchestrator.report.pictures import depth_bar
from orchestrator.report.placing import Tables
from orchestrator.report.templating import render
from orchestrator.store import Store


def write_generated(out: Store, path: str, record: Mapping[str, Any], created: str = "") -> None:
    """Writes the page of a set.

    Args:
        out: Holds the set's files, a folder for each picture.
        path: Of the page in it.
        record: What `orchestrator.generating.records` keeps of a set.
        created: Time of writing for the page; now, in UTC, if empty.
    """
    made = read_set(record)
    shown = _shown(out, made) | {"created": created or now()}
    html = render("generated.html.j2", title=made.title, place=Tables().place, contents=list(_anchors(shown)), **shown)
    out.write_bytes(path, html.encode())


def _shown(out: Store, made: GeneratedSet) -> dict[str, Any]:
    return {
        "made": made,
        "opening": words.opening(made),
        "conclusions": words.conclusions(made),
        "cautions": words.cautions(made),
        "sheets": contact_sheets(out, made),
        "samples": samples_sheet(out, made),
        "models": models(out, made),
        "depth_bar": depth_bar(),
        "origin": origin(made),
        **_tables(made.comparison),
    }


def _tables(found: Comparison | None) -> dict[str, Any]:
    return {"figures": tables.figures_table(found) if found else None, "species": tables.species_table(found) if found else None}


def _anchors(shown: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the anchor and the name of each section that the page has, in their order."""
    sections = (
        ("pictures", "Pictures", True),
        ("objects", "Objects", shown["samples"] or shown["models"]),
        ("figures", "Figures", shown["figures"]),
        ("species", "Species", shown["species"]),
        ("meaning", "What it says", True),
        ("origin", "Origin", True),
    )
    return ((anchor, name) for anchor, name, there in sections if there)
