"""The study of `g3dr depth-analysis --study`: runs it, writes it, says what came out."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from g3dr.errors import DataError
from orchestrator.cli.consoles import console
from orchestrator.cli.progress import progress

if TYPE_CHECKING:
    from g3dr.stereo import StudyResult


def write_file(path: Path, data: bytes) -> None:
    """Writes a file; the folder above is made where it is missing.

    Raises:
        DataError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error


def measure_study(folder: Path, scenes: int, seed: int) -> None:
    """Runs the study, writes figure, numbers and an example pair into a folder, and prints what they say."""
    from g3dr.stereo import StudyOptions, run_study, standings, verdict  # noqa: PLC0415
    from g3dr.stereo.verdict import sentence  # noqa: PLC0415

    start = time.monotonic()
    options = StudyOptions(scenes=scenes, seed=seed)
    with progress("matching pairs", "pairs") as move:
        result = run_study(options, move)
    _write_study(folder, result)
    out = console()
    for standing in standings(result):
        out.print(sentence(standing), markup=False)
    out.print(verdict(result), markup=False, style="bold")
    out.print(f"written in {time.monotonic() - start:.0f} s: {folder}/study.svg, study.json, left.png, right.png", markup=False)
    out.print(f"next: g3dr depth-analysis {folder}/left.png {folder}/right.png", markup=False)


def _write_study(folder: Path, result: "StudyResult") -> None:
    from g3dr.pictures import encode_image, to_bytes  # noqa: PLC0415
    from g3dr.stereo import standings, verdict  # noqa: PLC0415
    from g3dr.stereo.figures import study_chart  # noqa: PLC0415
    from g3dr.stereo.study import example_pair  # noqa: PLC0415
    from g3dr.stereo.verdict import sentence  # noqa: PLC0415

    record = {"verdict": verdict(result), "conditions_in_words": [sentence(standing) for standing in standings(result)], **result.to_json()}
    pair = example_pair(result.options)
    write_file(folder / "study.svg", study_chart(result))
    write_file(folder / "study.json", json.dumps(record, indent=1).encode())
    write_file(folder / "left.png", encode_image(to_bytes(pair.left)))
    write_file(folder / "right.png", encode_image(to_bytes(pair.right)))
