"""`g3dr depth-analysis`: what depth pictures of two views look like with each similarity, and which similarity errs least."""

import io
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from g3dr.errors import ConfigError, DataError
from orchestrator.cli.consoles import console
from orchestrator.cli.depth_study import measure_study, write_file
from orchestrator.cli.progress import progress

if TYPE_CHECKING:
    import numpy as np

    from g3dr.stereo import Measure, StereoMatch, StereoOptions

_PICTURE, _FOLDER = "depth-analysis.png", "depth-study"
_SHARE_OF_WIDTH, _LEAST_SEARCH = 6, 16


def depth_analysis(
    left: Annotated[Path | None, typer.Argument(help="The left picture of a rectified pair.")] = None,
    right: Annotated[Path | None, typer.Argument(help="The right picture, of the same size.")] = None,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The PNG; with --study a folder.")] = None,
    window: Annotated[int, typer.Option(help="Side of the compared windows, pixels; odd.")] = 9,
    least: Annotated[int, typer.Option(help="Smallest disparity, pixels.")] = 0,
    most: Annotated[int | None, typer.Option(help="Largest disparity, pixels; a sixth of the width without it.")] = None,
    arrays: Annotated[bool, typer.Option("--arrays", help="Write disparities and masks beside the PNG, as .npz.")] = False,
    study: Annotated[bool, typer.Option("--study", help="Measure the errors on procedural pairs of known disparity instead.")] = False,
    scenes: Annotated[int, typer.Option(help="Pairs of the study.")] = 12,
    seed: Annotated[int, typer.Option(help="Of the study's animals and noise.")] = 0,
) -> None:
    """Compare block matching with L1, L2 and cosine similarity: side by side on a pair, or against the truth on procedural pairs.

    Example: g3dr depth-analysis --study, then g3dr depth-analysis depth-study/left.png depth-study/right.png
    """
    if study:
        if left is not None:
            raise ConfigError("--study", str(left), "no pictures, for it draws its own")
        measure_study(out or Path(_FOLDER), scenes, seed)
    elif left is None or right is None:
        raise ConfigError("LEFT RIGHT", None if left is None else str(left), "two pictures, or --study")
    else:
        _compare(left, right, out or Path(_PICTURE), (window, least, most), arrays=arrays)


def _compare(left: Path, right: Path, out: Path, search: tuple[int, int, int | None], *, arrays: bool) -> None:
    pictures = _read(left), _read(right)

    from g3dr.stereo import PUBLISHED  # noqa: PLC0415  (brings torch, after bad files are refused)
    from g3dr.stereo.figures import comparison_picture  # noqa: PLC0415

    found, seconds = {}, {}
    for options in _options(PUBLISHED, pictures[0].shape[1], *search):
        start = time.monotonic()
        found[options.measure] = _match(pictures, options)
        seconds[options.measure] = time.monotonic() - start
    write_file(out, comparison_picture(*pictures, found, search[0]))
    written = [out, _write_arrays(out, found)] if arrays else [out]
    _tell_pair(written, found, seconds)


def _options(measures: "Iterable[Measure]", width: int, window: int, least: int, most: int | None) -> "list[StereoOptions]":
    from g3dr.stereo import StereoOptions  # noqa: PLC0415

    # A sixth of the width holds the disparities of most pairs, and every further one costs time and mistakes.
    most = min(max(_LEAST_SEARCH, width // _SHARE_OF_WIDTH, least + 1), width - 1) if most is None else most
    return [StereoOptions(measure, window, least, most) for measure in measures]


def _read(path: Path) -> "np.ndarray":
    from g3dr.pictures import decode_image  # noqa: PLC0415

    try:
        return decode_image(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _match(pictures: "tuple[np.ndarray, np.ndarray]", options: "StereoOptions") -> "StereoMatch":
    import torch  # noqa: PLC0415

    from g3dr.stereo import match, title  # noqa: PLC0415

    left, right = (torch.from_numpy(picture).movedim(-1, 0).float() / 255 for picture in pictures)
    with progress(f"matching with {title(options.measure)}", "rows") as move:
        return match(left, right, options, move)


def _write_arrays(out: Path, found: "dict[Measure, StereoMatch]") -> Path:
    import numpy as np  # noqa: PLC0415

    buffer, path = io.BytesIO(), out.with_suffix(".npz")
    columns: dict[str, Any] = {str(name): one.disparity.numpy() for name, one in found.items()}
    columns |= {f"{name}_consistent": one.consistent.numpy() for name, one in found.items()}
    np.savez_compressed(buffer, **columns)
    write_file(path, buffer.getvalue())
    return path


def _tell_pair(written: list[Path], found: "dict[Measure, StereoMatch]", seconds: "dict[Measure, float]") -> None:
    from rich.table import Table  # noqa: PLC0415

    from g3dr.stereo import title  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("similarity", "left and right agree", "median disparity", "time"):
        table.add_column(heading, justify="left" if heading == "similarity" else "right")
    for measure, one in found.items():
        median = one.disparity.nanmedian().item()
        table.add_row(title(measure), f"{one.consistent.float().mean().item():.1%}", f"{median:.2f} px", f"{seconds[measure]:.1f} s")
    out = console()
    out.print(table)
    out.print(f"written: {', '.join(map(str, written))}", markup=False)
    out.print("next: which to believe? g3dr depth-analysis --study measures it where the truth is known", markup=False)
