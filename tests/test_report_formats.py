"""Tables as CSV, LaTeX and Markdown, read back by other programs where there are some."""

import csv
import io
import re

import pytest
from markdown_it import MarkdownIt

from orchestrator.report.cells import Cell, Column, Row, Table, number, words
from orchestrator.report.formats import FORMATS, as_csv, as_latex, as_markdown
from orchestrator.report.placing import Tables

pytestmark = pytest.mark.unit
HOSTILE = [
    "plain",
    'a "quoted", word',
    "pipe | and \\ backslash",
    "50 % & $x_1 #{}~^",
    "<b>bold</b>",
    "two\nlines",
    "[link](x) *star* `code`",
    "_x_ smooth_l1",
]


def _table(texts):
    columns = [Column("Name & _unit_", "a|b \u2193", numeric=False), Column("Value", "dB \u2191")]
    return Table("A table", columns, [Row([words(text), number(index / 3, 2)]) for index, text in enumerate(texts)])


def _one_line(text):
    return " ".join(text.split())


def test_csv_is_read_back_with_numbers_in_full_precision():
    head, *rows = csv.reader(io.StringIO(str(as_csv(_table(HOSTILE)))))
    assert head == ["Name & _unit_ (a|b)", "Value (dB)"]
    assert [row[0] for row in rows] == [_one_line(text) for text in HOSTILE]
    assert [float(row[1]) for row in rows] == pytest.approx([index / 3 for index in range(len(HOSTILE))], rel=1e-9)


def test_csv_has_a_second_column_for_what_is_more_than_a_number():
    cells = [number(0.4, 2, detail="[0.3, 0.5]", mark="better"), Cell("\u2014", None)]
    table = Table("T", [Column("KID", "95 % \u2193")], [Row([cell]) for cell in cells])
    assert str(as_csv(table)).splitlines() == ['KID (95 %),"KID (95 %), as shown"', '0.4,"0.40 [0.3, 0.5] (better)"', ","]


def test_csv_writes_minus_signs_that_programs_read():
    table = Table("T", [Column("A"), Column("B")], [Row([number(-1.25), Cell("\u22121.2 [\u22122.0, \u22120.4]", -1.25)])])
    assert str(as_csv(table)).splitlines()[1] == '-1.25,-1.25,"-1.2 [-2.0, -0.4]"'


def test_markdown_is_read_back_by_a_parser():
    tokens = MarkdownIt("commonmark").enable("table").parse(str(as_markdown(_table(HOSTILE))))
    texts = ["".join(child.content for child in token.children) for token in tokens if token.type == "inline"]
    assert texts[:2] == ["Name & _unit_ a|b \u2193", "Value dB \u2191"]
    assert texts[2::2] == [_one_line(text) for text in HOSTILE]
    assert not any(
        child.type in ("html_inline", "link_open", "em_open", "code_inline") for token in tokens for child in token.children or []
    )


def test_latex_has_as_many_cells_as_columns_whatever_they_hold():
    lines = str(as_latex(_table(HOSTILE))).splitlines()
    rows = lines[lines.index("\\midrule") + 1 : lines.index("\\bottomrule")]
    assert len(rows) == len(HOSTILE)
    for line in rows:
        assert len(re.findall(r"(?<!\\)&", line)) == 1
        assert line.endswith(r"\\")
        assert not re.search(r"(?<!\\)[#$%_]", line)
    assert r"50 \% \& \$x\_1 \#\{\}\textasciitilde{}\textasciicircum{}" in rows[3]
    assert r"\textbackslash{} backslash" in rows[2]


def test_latex_keeps_brackets_away_from_the_end_of_the_line_before():
    table = Table("T", [Column("A", numeric=False)], [Row([words("[0.1, 0.2]")]), Row([words("*")])])
    assert [line[0] for line in as_latex(table).rows] == ["{", "{"]


def test_latex_says_what_its_marks_mean():
    marked = Table("T", [Column("A")], [Row([number(-1.0, 1, mark="worse")], highlighted=True)], baseline="the first")
    text = str(as_latex(marked))
    assert "worse than the first" in text
    assert r"\textbf{$-$1.0}$^{-}$ \\" in text
    assert "superscript" not in str(as_latex(_table(["x"])))


@pytest.mark.parametrize("name", FORMATS)
def test_every_row_is_one_line_so_that_the_page_can_sort_them(name):
    text = FORMATS[name](_table(HOSTILE))
    assert len(text.rows) == len(HOSTILE)
    assert all("\n" not in line for line in (*text.head, *text.rows, *text.foot))


def test_tables_of_one_name_get_files_of_their_own():
    tables = Tables()
    names = [tables.place(_table(["x"])).name for _ in range(3)]
    assert names == ["a-table", "a-table-2", "a-table-3"]
    tables.place(Table("Empty", [Column("A")]))
    assert set(tables.files()) == {f"{name}.{ending}" for name in names for ending in ("csv", "tex")}
