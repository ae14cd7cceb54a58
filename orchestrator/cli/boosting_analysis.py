"""`g3dr boosting-analysis`: what boosting does to the error of depth, measured where the truth is known, as a page."""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from orchestrator.cli.boosting_study import FILES, PAGE, measured, study_table, written
from orchestrator.cli.consoles import console
from orchestrator.store import open_store

Chosen = Literal["both", "known", "network"]


def boosting_analysis(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder that gets the page, the table and the figures.")] = Path(
        "boosting-study"
    ),
    estimator: Annotated[
        Chosen, typer.Option(help="known: one whose errors are known; network: the shipped one; or both after each other.")
    ] = "both",
    pictures: Annotated[int, typer.Option(help="Procedural pictures; with fewer than 6 nothing is concluded.")] = 8,
    resolution: Annotated[int, typer.Option(help="Their side, pixels, 128 to 2048.")] = 512,
    seed: Annotated[int, typer.Option(help="Of the animals and of the pictures' noise.")] = 100,
) -> None:
    """Measure what boosting does to depth near edges, everywhere, and to the order of outlines, on pictures whose depth is exact.

    Example: g3dr boosting-analysis --estimator network --pictures 16 -o boosting-study
    """
    from g3dr.depth.boosting.study import StudyOptions  # noqa: PLC0415  (brings scipy)

    start, options = time.monotonic(), StudyOptions(pictures, resolution, seed)
    open_store(str(out)).check()
    studies = measured(("known", "network") if estimator == "both" else (estimator,), options)
    written(out, options, studies, estimator)
    shown = console()
    for study in studies:
        shown.print(study_table(study))
    shown.print(f"written in {time.monotonic() - start:.0f} s: {', '.join(f'{out}/{name}' for name in FILES)}", markup=False)
    shown.print(
        f"next: open {out}/{PAGE} in a browser; `--boost` of `g3dr reconstruct` and `g3dr data depth` boosts your own", markup=False
    )
