"""The table of a study of boosting: errors of each variant, and what they change in the same pictures."""

from orchestrator.report.boosting.records import BASELINE, MEASURES, Measured
from orchestrator.report.cells import Cell, Column, Mark, Row, Table, number, words
from orchestrator.report.numbers import signed, span

_DIGITS = 4


def errors_table(measured: Measured) -> Table:
    """Builds the table of one estimator."""
    columns = [
        Column("Estimate", numeric=False),
        *(Column(heading, "\u2193", hint) for _, heading, hint in MEASURES),
        Column(
            "Seconds", "a picture", "on the machine that measured, whatever else it did; of the estimator of known error mostly its own"
        ),
    ]
    rows = [Row(_cells(measured, variant)) for variant in measured.errors]
    return Table(f"Errors of depth, {measured.name}", columns, rows, name=f"boosting-{measured.name}", baseline=BASELINE)


def _cells(measured: Measured, variant: str) -> list[Cell]:
    errors = [_cell(measured, variant, measure) for measure, *_ in MEASURES]
    return [words(variant), *errors, number(measured.mean(variant, "seconds"), 2)]


def _cell(measured: Measured, variant: str, measure: str) -> Cell:
    change = measured.change(variant, measure) if variant != BASELINE else None
    mark: Mark = "" if change is None or not change.excludes_zero else "better" if change.mean < 0 else "worse"
    detail = f"{signed(change.mean, _DIGITS)} {span(change.low, change.high, _DIGITS, sign=True)}".strip() if change else ""
    return number(measured.mean(variant, measure), _DIGITS, detail, mark)
