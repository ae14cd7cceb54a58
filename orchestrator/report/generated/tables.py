"""The tables of a generated set: its figures beside those of real pictures, and what its pictures look like."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.report.cells import Cell, Column, Row, Table, number, words
from orchestrator.report.generated.records import Comparison
from orchestrator.report.numbers import decimal, span
from orchestrator.report.statistics import Interval, share_interval
from orchestrator.report.tables import kernel_digits, named

MOST_LOOKS = 12
"""With more species, the table names what pictures are most often taken for instead of counting all."""

# Figure, its heading, which way is better, the real pictures' figure, decimals; None as KID has them.
_DISTANCES = (
    ("kid", "KID", "lower is better", "kid_floor", None),
    ("fd", "FD", "lower is better", "fd_floor", 1),
    ("inception_score", "IS-like score", "higher is better", "inception_score_real", 2),
    ("precision", "precision", "share of the pictures that lie among real ones", "precision_floor", 2),
    ("recall", "recall", "share of real pictures that lie among these", "recall_floor", 2),
)


def figures_table(comparison: Comparison) -> Table:
    """Builds the table of all figures, each beside what real pictures get in the same place."""
    columns = (
        Column("Figure", numeric=False),
        Column("Generated"),
        Column("Real in their place", hint="real training pictures in the place of the generated ones; for species, held-out pictures"),
        Column("By chance", hint="what guessing gets, where that can be said"),
        Column("Pictures", hint="distances: on each side; else: those that were looked at"),
    )
    rows = [*_distance_rows(comparison), *_species_row(comparison), *_flatness_row(comparison)]
    return Table("Figures beside those of real pictures", columns, rows, name="generated-figures")


def _distance_rows(comparison: Comparison) -> Iterator[Row]:
    for name, heading, better, floor, digits in _DISTANCES:
        value = comparison.metrics.get(name)
        shown = kernel_digits(value) if digits is None else digits
        if value is not None:
            interval = span(comparison.metrics.get("kid_low"), comparison.metrics.get("kid_high"), shown) if name == "kid" else ""
            yield Row(
                [
                    words(named(heading, comparison.extractor), detail=better),
                    number(value, shown, interval),
                    number(comparison.metrics.get(floor), shown),
                    number(None),
                    number(comparison.images, 0),
                ]
            )


def _species_row(comparison: Comparison) -> Iterator[Row]:
    if "species_accuracy" not in comparison.metrics:
        return
    counts = [comparison.right(real=real) for real in (False, True)]
    label = words("species as asked for", detail="the nearest training picture is of that species; higher is better")
    chance = share(comparison.metrics.get("chance_species_accuracy"))
    yield Row([label, *(counted_share(*count) for count in counts), chance, number(counts[0][1], 0)])


def _flatness_row(comparison: Comparison) -> Iterator[Row]:
    if "nfs" not in comparison.metrics:
        return
    label = words("NFS of estimated depth", detail="better the nearer it is to that of the data, 1 to 64")
    values = [number(comparison.metrics.get(name), 1) for name in ("nfs", "nfs_real")]
    yield Row([label, *values, number(None), number(comparison.counts.get("depths"), 0)])


def share(value: float | None, detail: str = "") -> Cell:
    """Returns a cell of a share from 0 to 1, in percent."""
    return Cell(f"{decimal(100 * value, 0)} %" if value is not None else decimal(None), value, detail=detail)


def counted_share(count: int, total: int) -> Cell:
    """Returns a cell of a share of pictures with its interval; an em dash of none."""
    if not total:
        return number(None)
    return share(count / total, _percent_span(share_interval(count, total)))


def _percent_span(interval: Interval) -> str:
    low, high = interval.low, interval.high
    return f"{span(100 * low, 100 * high, 0)} %" if low is not None and high is not None else ""


def species_table(comparison: Comparison) -> Table | None:
    """Builds the table of species: how many pictures look right, and what the others look like; None of a set of one species."""
    names = list(comparison.looks)
    if len(names) < 2:
        return None
    counted = len(names) <= MOST_LOOKS
    looks = [Column(name, "", f"pictures that look most like {name}") for name in names] if counted else [_TAKEN_FOR]
    columns = [
        Column("Asked for", numeric=False),
        Column("Right", hint="share whose nearest training picture is of the species, with its 95 % interval"),
        Column("Real ones right", hint="the same of held-out pictures of the species"),
        *looks,
    ]
    rows = [Row(_species_cells(comparison, name, names if counted else None)) for name in names]
    return Table("What pictures look like, by what was asked for", columns, rows, name="generated-species")


_TAKEN_FOR = Column("Else most often", "", "species that most of the others look like", numeric=False)


def _species_cells(comparison: Comparison, name: str, names: Sequence[str] | None) -> list[Cell]:
    found, real = comparison.looks[name], comparison.real_looks.get(name, {})
    shares = [counted_share(looks.get(name, 0), sum(looks.values())) for looks in (found, real)]
    looks = [words(*_most_else(found, name))] if names is None else [number(found.get(other, 0), 0) for other in names]
    return [words(name), *shares, *looks]


def _most_else(looks: Mapping[str, int], name: str) -> tuple[str, str]:
    others = {other: count for other, count in looks.items() if other != name}
    most = max(others, key=lambda other: others[other], default="")
    return most, str(others[most]) if most else ""
