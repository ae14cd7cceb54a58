"""Builds the report of an experiment and writes it beside the results."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.report.collect import read_study
from orchestrator.report.page import render_page
from orchestrator.report.results import headline, species_rows
from orchestrator.report.summary import summarize
from orchestrator.store import Store


@dataclass(frozen=True)
class ReportPaths:
    """Where the report was written, relative to the store.

    Attributes:
        index: The page.
        summary: The numbers as JSON.
    """

    index: str
    summary: str


def build_report(store: Store, experiment: str, created: str = "") -> ReportPaths:
    """Reads an experiment's results and writes its page and summary; existing ones are replaced.

    Args:
        store: The store with the ledger.
        experiment: Name of the experiment.
        created: Time of writing for the page; now, in UTC, if empty.

    Raises:
        DataError: The store holds no such experiment.
    """
    created = created or datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    study = read_study(store, experiment)
    head, rows = headline(study), species_rows(study)
    paths = ReportPaths(f"reports/{experiment}/index.html", f"reports/{experiment}/summary.json")
    page = render_page(store, study, head, rows, created)
    store.write_bytes(paths.summary, json.dumps(summarize(study, head, rows, created), indent=1, ensure_ascii=False).encode())
    store.write_bytes(paths.index, page.encode())
    return paths
