"""What tables are made of: text for people, a value to sort by, and a mark only where the evidence supports one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.report.numbers import MISSING, decimal

Mark = Literal["", "better", "worse"]


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What is shown.
        value: What is sorted by; None sorts last.
        mark: Better or worse than what the table compares with (`Table.baseline`), with a paired interval that excludes zero.
        detail: Shown small under the text.
        hint: Longer text for a pointer that rests on the cell.
    """

    text: str
    value: float | str | None
    mark: Mark = ""
    detail: str = ""
    hint: str = ""

    @property
    def numeric(self) -> bool:
        """Whether the cell is a number (or the lack of one)."""
        return not isinstance(self.value, str)


@dataclass(frozen=True)
class Column:
    """A column's heading, its unit and direction, and its explanation."""

    heading: str
    unit: str = ""
    hint: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Row:
    """Cells, and whether the row stands out."""

    cells: Sequence[Cell]
    highlighted: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: What it shows.
        columns: Their headings.
        rows: As many cells as columns in each.
        name: Name of its files; made from the caption if empty.
        baseline: What marked cells are better or worse than, for those who hear the page.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row] = field(default_factory=tuple)
    name: str = ""
    baseline: str = "pre-trained"

    @property
    def file_name(self) -> str:
        """Lower-case letters, digits and hyphens."""
        return re.sub(r"[^a-z0-9]+", "-", (self.name or self.caption).lower()).strip("-") or "table"


def words(text: str, detail: str = "", hint: str = "") -> Cell:
    """Returns a cell of text."""
    return Cell(text or MISSING, text, detail=detail, hint=hint)


def number(value: float | None, digits: int = 2, detail: str = "", mark: Mark = "", hint: str = "") -> Cell:
    """Returns a cell of a number; an em dash where there is none."""
    return Cell(decimal(value, digits), value, mark, detail, hint)
