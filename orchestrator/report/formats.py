"""A table as CSV, LaTeX and Markdown; the page, its buttons and the files beside it all take the text from here.

Every row is one line, so that the page can put the lines in the order that its reader sorted.
"""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.report.cells import Cell, Column, Row, Table
from orchestrator.report.numbers import MISSING

_MINUS = "\u2212"
_ARROWS = str.maketrans("", "", "\u2191\u2193")
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    _MINUS: "$-$",
    MISSING: "---",
    "\u2013": "--",
    "\u2191": r"$\uparrow$",
    "\u2193": r"$\downarrow$",
}
_LATEX_MARKS = {"better": "$^{+}$", "worse": "$^{-}$"}


@dataclass(frozen=True)
class TableText:
    """A table in one format.

    Attributes:
        head: Lines before the rows.
        rows: One line a row.
        foot: Lines after the rows.
    """

    head: Sequence[str]
    rows: Sequence[str]
    foot: Sequence[str] = ()

    def __str__(self) -> str:
        """Returns the whole text, with a line break at its end."""
        return "\n".join([*self.head, *self.rows, *self.foot, ""])


def as_csv(table: Table) -> TableText:
    """Returns comma-separated values (RFC 4180): numbers in full precision, empty where there is none.

    A column whose cells show more than a number, such as an interval, is followed by one with the text as it is shown;
    one of words with small print, by one with that.
    """
    extra = [any(_says_more(row.cells[index]) for row in table.rows) for index in range(len(table.columns))]
    head = [name for column, more in zip(table.columns, extra, strict=True) for name in _csv_headings(column, more=more)]
    rows = [[text for cell, more in zip(row.cells, extra, strict=True) for text in _csv_cells(cell, more=more)] for row in table.rows]
    return TableText([_csv_line(head)], [_csv_line(row) for row in rows])


def _csv_headings(column: Column, *, more: bool) -> list[str]:
    unit = column.unit.translate(_ARROWS).strip()
    name = f"{column.heading} ({unit})" if unit else column.heading
    return [name, f"{name}, {'as shown' if column.numeric else 'detail'}"] if more else [name]


def _csv_cells(cell: Cell, *, more: bool) -> list[str]:
    if isinstance(cell.value, str):
        return [_known(cell.text), cell.detail] if more else [_known(cell.text)]
    plain = "" if cell.value is None else f"{cell.value:.10g}"
    return [plain, _shown(cell)] if more else [plain]


def _says_more(cell: Cell) -> bool:
    if isinstance(cell.value, str):
        return bool(cell.detail)
    return bool(cell.detail or cell.mark) or (cell.text != MISSING and not re.fullmatch(r"[-+\u2212]?[\d.]+(e[-+]?\d+)?", cell.text))


def _shown(cell: Cell) -> str:
    mark = f"({cell.mark})" if cell.mark else ""
    return " ".join(filter(None, [_known(cell.text), cell.detail, mark])).replace(_MINUS, "-")


def _known(text: str) -> str:
    return "" if text == MISSING else text


def _csv_line(texts: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([_one_line(text) for text in texts])
    return line.getvalue()


def as_markdown(table: Table) -> TableText:
    """Returns a table of GitHub's Markdown."""
    head = [_markdown(f"{column.heading} {column.unit}".strip()) for column in table.columns]
    rules = ["--:" if column.numeric else ":--" for column in table.columns]
    return TableText([_bars(head), _bars(rules)], [_bars(_cells(row, _markdown_cell)) for row in table.rows])


def _markdown_cell(cell: Cell, *, highlighted: bool) -> str:
    text = _markdown(" ".join(filter(None, [cell.text, cell.detail, f"({cell.mark})" if cell.mark else ""])))
    return f"**{text}**" if highlighted and text else text


def _markdown(text: str) -> str:
    escaped = re.sub(r"([\\|`*<\[\]])", r"\\\1", _one_line(text))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", escaped)


def _bars(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def as_latex(table: Table) -> TableText:
    """Returns a tabular for the package booktabs; the row that stands out has a bold first cell."""
    align = "".join("r" if column.numeric else "l" for column in table.columns)
    units = [f"{{\\footnotesize {_latex(column.unit)}}}" if column.unit else "" for column in table.columns]
    head = [
        f"% {_one_line(table.caption)}; needs \\usepackage{{booktabs}}",
        *([f"% superscript + and -: better and worse than {table.baseline}, paired 95 % interval excludes zero"] if _marked(table) else []),
        f"\\begin{{tabular}}{{{align}}}",
        "\\toprule",
        _ampersands([_latex(column.heading) for column in table.columns]),
        *([_ampersands(units)] if any(units) else []),
        "\\midrule",
    ]
    rows = [_ampersands(_cells(row, _latex_cell)) for row in table.rows]
    return TableText(head, rows, ["\\bottomrule", "\\end{tabular}"])


def _marked(table: Table) -> bool:
    return any(cell.mark for row in table.rows for cell in row.cells)


def _latex_cell(cell: Cell, *, highlighted: bool) -> str:
    text = f"\\textbf{{{_latex(cell.text)}}}" if highlighted and cell.text else _latex(cell.text)
    detail = f" {{\\footnotesize {_latex(cell.detail)}}}" if cell.detail else ""
    return text + _LATEX_MARKS.get(cell.mark, "") + detail


def _latex(text: str) -> str:
    escaped = "".join(_LATEX.get(letter, letter) for letter in _one_line(text))
    return f"{{{escaped}}}" if escaped.startswith(("[", "*")) else escaped  # after a line's end these would be arguments of it


def _ampersands(texts: Sequence[str]) -> str:
    return f"{' & '.join(texts)} \\\\"


def _cells(row: Row, render: Callable[..., str]) -> list[str]:
    return [render(cell, highlighted=row.highlighted and index == 0) for index, cell in enumerate(row.cells)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


FORMATS: dict[str, Callable[[Table], TableText]] = {"CSV": as_csv, "LaTeX": as_latex, "Markdown": as_markdown}
"""By the name that people know."""
