"""How often the 95 % intervals that reports print cover the truth, by simulation.

    python -m benchmarks.coverage

Every cell is the share of repeats whose interval covers the truth. 200 repeats of an interval that covers in exactly 95 % of all cases
give 90 to 98 % in about 98 % of the cells.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.coverage_cases import Case, drawn_kernel_cases, mean_cases, pictured_kernel_cases
from benchmarks.faulty import markdown

SIZES, FEW_SEEDS = (10, 25, 50, 100), (3, 5)
REPEATS, PICTURES, BAD_INPUT = 200, 120, 2
LOWEST, HIGHEST = 0.90, 0.98


def coverage(case: Case, size: int, repeats: int, seed: int = 0) -> float:
    """Returns the share of repeats whose interval covers the truth.

    Args:
        case: Interval and distribution.
        size: N.
        repeats: How often N values are drawn.
        seed: Of all of them.
    """
    generator = np.random.default_rng([seed, size])
    ends = (case.ends(generator, size) for _ in range(repeats))
    return sum(low <= case.truth <= high for low, high in ends) / repeats


def row(case: Case, sizes: Iterable[int], repeats: int, seed: int = 0) -> tuple[str, ...]:
    """Returns the texts of a row of the table; what lies outside of 90 to 98 % is marked."""
    shares = [coverage(case, size, repeats, seed) for size in sizes]
    return (case.interval, case.distribution, *(f"{share:.1%}{'' if LOWEST <= share <= HIGHEST else ' !'}" for share in shares))


def main(arguments: Sequence[str]) -> int:
    """Prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=REPEATS, metavar="R", help=f"repeats of each cell (default: {REPEATS})")
    parser.add_argument("--seed", type=int, default=0, metavar="SEED", help="of all draws (default: 0)")
    parser.add_argument(
        "--pictures", type=int, default=PICTURES, metavar="N", help=f"of each kind, 0 leaves them out (default: {PICTURES})"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows with this text")
    parser.add_argument("--markdown", action="store_true", help="print the table for a document")
    options = parser.parse_args(arguments)
    errors, console = Console(stderr=True), Console(soft_wrap=True, highlight=False)
    if options.repeats < 1 or options.seed < 0 or options.pictures < 0:
        errors.print("--repeats of 1 or more, --seed and --pictures of 0 or more are allowed")
        return BAD_INPUT
    columns = ("95 % interval", "distribution", *(f"N = {size}" for size in SIZES))
    rows = _rows(errors, options.repeats, options.seed, options.pictures, options.only)
    console.print(markdown(columns, rows) if options.markdown else _table(columns, rows), markup=False)
    return 0


def _rows(errors: Console, repeats: int, seed: int, pictures: int, only: str) -> list[tuple[str, ...]]:
    pictured = pictured_kernel_cases(pictures) if pictures else ()
    cases = [case for case in chain(mean_cases(), drawn_kernel_cases(), pictured) if only in f"{case.interval}, {case.distribution}"]
    return [row(case, SIZES, repeats, seed) for case in track(cases, "simulating", console=errors)]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*columns, box=None, pad_edge=False)
    for cells in rows:
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
