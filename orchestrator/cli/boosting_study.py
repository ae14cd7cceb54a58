"""The study of `g3dr boosting-analysis`: draws the pictures, measures, writes figures, table and page."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.table import Table
from rich.text import Text

from orchestrator.cli.depth_study import write_file
from orchestrator.cli.progress import progress
from orchestrator.depth.naming import full_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from g3dr.depth.boosting import ScalableEstimator
    from g3dr.depth.boosting.scenes import Scene
    from g3dr.depth.boosting.study import StudyOptions, StudyResult
    from orchestrator.report.boosting import Example, Measured
    from orchestrator.report.cells import Cell

Name = Literal["known", "network"]

PAGE = "report.html"
FILES = (PAGE, "boosting.json", "boosting.csv")

_EXAMPLES = 2


@dataclass(frozen=True)
class Study:
    """One estimator's figures, and how the page shows them.

    Attributes:
        name: As `--estimator` takes it.
        result: The figures.
        shown: The page's view of them.
    """

    name: Name
    result: "StudyResult"
    shown: "Measured"


def measured(names: Sequence[Name], options: "StudyOptions") -> list[Study]:
    """Draws the pictures and measures each estimator on them, with progress bars."""
    from g3dr.depth.boosting.study import measure  # noqa: PLC0415

    with progress("drawing pictures", "pictures") as move:
        scenes = options.scenes(move)
    found = []
    for name in names:
        estimator = _estimator(name, scenes)
        with progress(f"measuring {_NAMES[name]}", "maps") as move:
            result = measure(estimator, scenes, move, keep=_EXAMPLES)
        found.append(Study(name, result, _shown(name, result, scenes)))
    return found


def _estimator(name: Name, scenes: "Mapping[str, Scene]") -> "ScalableEstimator":
    from g3dr.depth.boosting.study import known_estimator, shipped_estimator  # noqa: PLC0415

    return known_estimator(scenes) if name == "known" else shipped_estimator()


_NAMES = {"known": "estimator of known error", "network": "shipped network"}


def _shown(name: Name, result: "StudyResult", scenes: "Mapping[str, Scene]") -> "Measured":
    from orchestrator.report.boosting import Measured  # noqa: PLC0415

    return Measured(_NAMES[name], _told(name, result), result.errors, [_example(key, result, scenes[key]) for key in result.maps])


def _told(name: Name, result: "StudyResult") -> str:
    if name == "network":
        return (
            f"The small network that comes with this program, {full_name(result.identity)}, at {result.identity['side']} pixels. "
            "It was trained on animals of this kind, of other seeds."
        )
    about = result.identity
    return (
        f"No network: it sees the truth as networks see depth, blurred by {about['blur']:g} pixel of its input and adrift when it is shown "
        f"more than its field of {about['native_side']} pixels, {about['lost']:g} times as much where no edge is in sight."
    )


def _example(key: str, result: "StudyResult", scene: "Scene") -> "Example":
    from g3dr.depth.boosting.edges import edge_map  # noqa: PLC0415
    from g3dr.depth.boosting.scenes import near_edges  # noqa: PLC0415
    from g3dr.depth.boosting.study import BOOSTED, LARGER, USUAL  # noqa: PLC0415
    from orchestrator.report.boosting import Example  # noqa: PLC0415

    maps = {variant: result.maps[key][variant] for variant in (USUAL, LARGER, BOOSTED)}
    return Example(f"Picture {key}", scene.rgb, edge_map(scene.rgb), scene.truth, near_edges(scene.truth), maps)


def written(folder: Path, options: "StudyOptions", studies: Sequence[Study], asked: str) -> None:
    """Writes the page, the figures as JSON, and a row for each picture and variant as CSV.

    Raises:
        DataError: A file cannot be written.
    """
    from orchestrator.report.boosting import boosting_page  # noqa: PLC0415

    given = f"--pictures {options.pictures} --resolution {options.resolution} --seed {options.seed}"
    subject = f"{options.pictures} procedural animals of {options.resolution} pixels with exact disparity, seed {options.seed}"
    page = boosting_page([study.shown for study in studies], subject, f"g3dr boosting-analysis --estimator {asked} {given}")
    write_file(folder / "boosting.json", json.dumps(_record(options, studies), indent=1).encode())
    write_file(folder / "boosting.csv", _rows(studies).encode())
    write_file(folder / PAGE, page.encode())


def _record(options: "StudyOptions", studies: Sequence[Study]) -> dict[str, object]:
    return {
        "options": asdict(options),
        "estimators": {study.name: {"identity": dict(study.result.identity), "errors": study.result.errors} for study in studies},
    }


def _rows(studies: Sequence[Study]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["estimator", "estimate", "picture", "everywhere", "near_edges", "wrong_order", "seconds"])
    for study in studies:
        for variant, entries in study.result.errors.items():
            table.writerows([study.name, variant, number, *entry.values()] for number, entry in enumerate(entries))
    return text.getvalue()


def study_table(study: Study) -> Table:
    """Returns one estimator's table for the terminal."""
    from orchestrator.report.boosting.tables import errors_table  # noqa: PLC0415

    made = errors_table(study.shown)
    table = Table(title=study.shown.name, box=None, pad_edge=False, header_style="bold", title_justify="left")
    for column in made.columns:
        table.add_column(column.heading.lower(), justify="right" if column.numeric else "left")
    for row in made.rows:
        table.add_row(*(_text(cell) for cell in row.cells))
    return table


def _text(cell: "Cell") -> Text:
    text = Text(cell.text)
    return text.append(f"\n{cell.detail}", style="dim") if cell.detail else text
