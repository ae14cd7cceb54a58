"""Builds the page of a comparison and writes it beside the results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.report.build import ReportPaths, write_report
from orchestrator.report.clock import now
from orchestrator.report.collect import finite
from orchestrator.report.comparing import tables, words
from orchestrator.report.comparing.pairs import Pair, pairs
from orchestrator.report.comparing.pictures import compared_sheet, training_panels
from orchestrator.report.comparing.settings import Setting, differing_settings
from orchestrator.report.comparing.sides import Side, read_sides
from orchestrator.report.page import Page
from orchestrator.report.pictures import depth_bar
from orchestrator.report.placing import Tables
from orchestrator.report.statistics import LEAST_IMAGES
from orchestrator.report.templating import render
from orchestrator.store import Store, open_store


def build_comparison(store: Store, asked: Sequence[str], created: str = "", open_root: Callable[[str], Store] = open_store) -> ReportPaths:
    """Compares experiments and writes `reports/<A>+<B>/`; an existing comparison of the same name is replaced.

    Args:
        store: Where names without a root are looked for, and where the page is written.
        asked: `NAME` or `NAME@ROOT`; the others are compared with the first.
        created: Time of writing for the page; now, in UTC, if empty.
        open_root: Opens the root of `NAME@ROOT`.

    Raises:
        ConfigError: Too few, too many, or one twice.
        DataError: Some are not there; the sentence names all of them.
    """
    created = created or now()
    sides = read_sides(store, asked, open_root)
    found, settings = pairs(sides), differing_settings(sides)
    folder = f"reports/{'+'.join(side.study.name for side in sides)}"
    return write_report(store, folder, _page(sides, found, settings, created), _summary(sides, found, settings, created))


def _page(sides: Sequence[Side], found: Sequence[Pair], settings: Sequence[Setting], created: str) -> Page:
    placed = Tables()
    names = [side.name for side in sides]
    html = render(
        "compare.html.j2",
        title=" and ".join(names),
        place=placed.place,
        contents=_contents(settings),
        names=names,
        created=created,
        opening=words.opening(sides, found),
        conclusions=words.conclusions(sides, found),
        cautions=words.cautions(sides, found),
        least_images=LEAST_IMAGES,
        sheet=compared_sheet(sides),
        training=training_panels(sides),
        depth_bar=depth_bar(),
        **_tables(sides, found, settings),
    )
    return Page(html, placed.files())


def _tables(sides: Sequence[Side], found: Sequence[Pair], settings: Sequence[Setting]) -> dict[str, Any]:
    return {
        "side_table": tables.side_table(sides),
        "pair_table": tables.pair_table(found, species=False),
        "species_table": tables.pair_table(found, species=True),
        "shared_table": tables.shared_table(sides),
        "settings_table": tables.settings_table(sides, settings),
        "origin_table": tables.origin_table(sides),
    }


def _contents(settings: Sequence[Setting]) -> list[tuple[str, str]]:
    differ = [("settings", "Settings that differ")] if settings else []
    first = [("result", "Result"), ("numbers", "Numbers"), ("meaning", "What it says")]
    return [*first, *differ, ("runs", "Shared runs"), ("lineage", "Origin")]


def _summary(sides: Sequence[Side], found: Sequence[Pair], settings: Sequence[Setting], created: str) -> Mapping[str, Any]:
    return {
        "experiments": [{"name": side.name, "root": side.study.root, "run": side.head.run.run if side.head else None} for side in sides],
        "created": created,
        "differences": [_pair_fields(pair) for pair in found],
        "settings": [{"path": setting.path, "values": list(setting.values)} for setting in settings],
        "shared_runs": [row.cells[0].text for row in tables.shared_table(sides).rows],
    }


def _pair_fields(pair: Pair) -> dict[str, Any]:
    interval = {name: value if name == "count" else finite(value) for name, value in asdict(pair.difference).items() if name != "least"}
    return {
        "what": pair.what or "unseen images",
        "metric": pair.metric.name,
        "first": pair.first,
        "second": pair.second,
        "mean_of_first": pair.means[0],
        "mean_of_second": pair.means[1],
        "difference": interval,
        "verdict": {1: "better", -1: "worse", 0: "not to be told apart"}[pair.verdict],
    }
