"""The tables that a page shows: what is placed on it is also written beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.report.cells import Table
from orchestrator.report.formats import FORMATS, TableText, as_csv, as_latex


@dataclass(frozen=True)
class Placed:
    """A table in its place.

    Attributes:
        name: Its own on this page; names its files.
        texts: Format to text, for the buttons.
    """

    name: str
    texts: Mapping[str, TableText]


class Tables:
    """The tables of one page, in the order in which they are placed."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}

    def place(self, table: Table) -> Placed:
        """Takes a table and returns its name and texts; a second table of a name gets a number."""
        name, number = table.file_name, 2
        while name in self._tables:
            name, number = f"{table.file_name}-{number}", number + 1
        self._tables[name] = table
        return Placed(name, {format_: render(table) for format_, render in FORMATS.items()})

    def files(self) -> dict[str, str]:
        """Returns file name to content: every table that has rows, as CSV and as LaTeX."""
        return {
            f"{name}{ending}": str(render(table))
            for name, table in self._tables.items()
            if table.rows
            for ending, render in ((".csv", as_csv), (".tex", as_latex))
        }
