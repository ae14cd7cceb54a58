"""What boosting does to the error of depth, where the truth is known: `python -m benchmarks.boosting`.

Procedural animals of 512 pixels, whose disparity is exact. Estimates are fitted to it in scale and shift, as nobody knows these.
`g3dr boosting-analysis` measures the same and writes a page; this prints the tables of docs/boosting.md.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from g3dr.depth.boosting.study import USUAL, StudyOptions, known_estimator, measure, shipped_estimator
from orchestrator.report.statistics import student_mean


def table(found: Mapping[str, Sequence[Mapping[str, float]]], baseline: str) -> list[str]:
    """Returns the lines of a table: means, and differences to the baseline in the same scenes with Student's 95 % intervals."""
    lines = [f"| {' | '.join(['', *found[baseline][0]])} |", "|---" * (len(found[baseline][0]) + 1) + "|"]
    for name, entries in found.items():
        cells = [_cell(entries, found[baseline], measure, with_change=name != baseline) for measure in entries[0]]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _cell(entries: Sequence[Mapping[str, float]], baseline: Sequence[Mapping[str, float]], measure: str, *, with_change: bool) -> str:
    mean = float(np.mean([entry[measure] for entry in entries]))
    if not with_change or measure == "seconds":
        return f"{mean:.4f}" if measure != "seconds" else f"{mean:.2f}"
    change = student_mean([entry[measure] - other[measure] for entry, other in zip(entries, baseline, strict=True)])
    if change is None or change.low is None or change.high is None:
        return f"{mean:.4f}"
    return f"{mean:.4f} ({change.mean:+.4f} [{change.low:+.4f}, {change.high:+.4f}])"


def _say(line: str, where: TextIO) -> None:
    where.write(line + "\n")


def main(words: Sequence[str]) -> None:
    """Prints the tables, and writes the figures if a file is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boosting", description=__doc__)
    parser.add_argument("--scenes", type=int, default=StudyOptions.pictures)
    parser.add_argument("--resolution", type=int, default=StudyOptions.resolution)
    parser.add_argument("--seed", type=int, default=StudyOptions.seed)
    parser.add_argument("--network", action="store_true", help="measure the shipped network instead of an estimator of known error")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(words)
    scenes = StudyOptions(arguments.scenes, arguments.resolution, arguments.seed).scenes()
    estimator = shipped_estimator() if arguments.network else known_estimator(scenes)
    result = measure(estimator, scenes, lambda done, total: _say(f"{done} of {total} maps", sys.stderr))
    title = f"{result.identity}, {len(scenes)} pictures of {arguments.resolution} pixels"
    _say("\n".join([title, "", *table(result.errors, USUAL)]), sys.stdout)
    if arguments.json:
        arguments.json.write_text(json.dumps(result.errors, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
