"""Builds the report of an experiment and writes it beside the results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.planning.prices import Prices
from orchestrator.report.clock import now
from orchestrator.report.collect import read_study
from orchestrator.report.page import Page, render_page
from orchestrator.report.results import headline, species_rows
from orchestrator.report.summary import summarize
from orchestrator.store import Store


@dataclass(frozen=True)
class ReportPaths:
    """Where the report was written, relative to the store.

    Attributes:
        index: The page.
        summary: The numbers as JSON.
        tables: Every table of the page as CSV and as LaTeX.
    """

    index: str
    summary: str
    tables: Sequence[str] = ()

    @property
    def folder(self) -> str:
        """The folder of all of them."""
        return self.index.rpartition("/")[0]


def build_report(store: Store, experiment: str, created: str = "", prices: Prices | None = None) -> ReportPaths:
    """Reads an experiment's results and writes its page, its tables and its summary; existing ones are replaced.

    Args:
        store: The store with the ledger.
        experiment: Name of the experiment.
        created: Time of writing for the page; now, in UTC, if empty.
        prices: What machines cost, for the cost of the training; None for no cost.

    Raises:
        DataError: The store holds no such experiment.
    """
    created = created or now()
    study = read_study(store, experiment)
    head, rows = headline(study), species_rows(study)
    page = render_page(store, study, head, rows, created, prices=prices)
    return write_report(store, f"reports/{experiment}", page, summarize(study, head, rows, created, prices))


def write_report(store: Store, folder: str, page: Page, summary: Mapping[str, Any]) -> ReportPaths:
    """Writes a page with what lies beside it; tables of an earlier page that this one has not are taken away. The page comes last."""
    tables = {f"{folder}/tables/{name}": text for name, text in page.tables.items()}
    paths = ReportPaths(f"{folder}/index.html", f"{folder}/summary.json", sorted(tables))
    for path in set(store.list(f"{folder}/tables")) - set(tables):
        store.delete(path)
    for path, text in tables.items():
        store.write_bytes(path, text.encode())
    store.write_bytes(paths.summary, json.dumps(summary, indent=1, ensure_ascii=False).encode())
    store.write_bytes(paths.index, page.html.encode())
    return paths
