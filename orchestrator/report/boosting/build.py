"""Builds the page of a study of boosting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.report.boosting import words
from orchestrator.report.boosting.charts import error_charts
from orchestrator.report.boosting.pictures import example_sheet
from orchestrator.report.boosting.records import Measured
from orchestrator.report.boosting.tables import errors_table
from orchestrator.report.cells import Table
from orchestrator.report.clock import now
from orchestrator.report.pictures import Sheet
from orchestrator.report.placing import Tables
from orchestrator.report.plots import Panel
from orchestrator.report.statistics import LEAST_IMAGES
from orchestrator.report.templating import render


@dataclass(frozen=True)
class Section:
    """One estimator on the page.

    Attributes:
        anchor: Of its heading.
        heading: Its name.
        told: What it is.
        table: Its errors.
        charts: The same, every picture a dot.
        sheets: Some of its pictures.
    """

    anchor: str
    heading: str
    told: str
    table: Table
    charts: Sequence[Panel]
    sheets: Sequence[Sheet]


def boosting_page(studies: Sequence[Measured], subject: str, command: str, created: str = "") -> str:
    """Returns the page, which needs nothing else.

    Args:
        studies: One for each estimator.
        subject: What was measured on, for the line under the title.
        command: Makes the page again.
        created: Time of writing for the page; now, in UTC, if empty.
    """
    sections = [_section(number, study) for number, study in enumerate(studies, start=1)]
    shown: dict[str, Any] = {
        "sections": sections,
        "opening": words.opening(studies),
        "conclusions": words.conclusions(studies),
        "cautions": words.cautions(studies),
        "subject": subject,
        "command": command,
        "created": created or now(),
        "least_images": LEAST_IMAGES,
    }
    contents = [*((section.anchor, section.heading) for section in sections), ("meaning", "What it says"), ("again", "Make it again")]
    return render("boosting.html.j2", title="Boosting", place=Tables().place, contents=contents, **shown)


def _section(number: int, study: Measured) -> Section:
    sheets = [example_sheet(example) for example in study.examples]
    heading = study.name[:1].upper() + study.name[1:]
    return Section(f"estimator-{number}", heading, study.told, errors_table(study), error_charts(study), sheets)
