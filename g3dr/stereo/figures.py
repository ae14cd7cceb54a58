"""Figures that can be read alone: a pair with its disparities, and the study's errors over windows."""

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from g3dr.stereo.matching import StereoMatch
from g3dr.stereo.measures import Measure, title
from g3dr.stereo.study import StudyResult
from g3dr.stereo.verdict import interval, standings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Picture = UInt8[np.ndarray, "height width 3"]

_INK, _SOFT, _UNKNOWN = "#1d2329", "#5b6570", "#c9ced3"
_COLORS: dict[Measure, str] = {"l1": "#0b6b70", "l2": "#c05b14", "cosine": "#5a55b5", "zero_mean_cosine": "#6d6d6d"}
_DASHES: dict[Measure, str] = {"l1": "-", "l2": "--", "cosine": "-.", "zero_mean_cosine": ":"}
_STYLE = {"font.size": 9, "text.color": _INK, "axes.edgecolor": _SOFT, "xtick.color": _SOFT, "ytick.color": _SOFT, "axes.labelcolor": _INK}
# Letters stay letters, and the same numbers give the same bytes.
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "g3dr", "font.family": "DejaVu Sans"}


def comparison_picture(left: Picture, right: Picture, found: Mapping[Measure, StereoMatch], window: int) -> bytes:
    """Draws a pair beside the disparities of several measures, on one scale; below each what both pictures agree on. Returns a PNG.

    Args:
        left: The left picture.
        right: The right picture.
        found: The matches.
        window: Side of the compared windows, pixels; for the heading.
    """
    from matplotlib import rc_context  # noqa: PLC0415  (takes half a second)

    with rc_context(_STYLE):
        figure = _comparison(left, right, found, window)
        return _saved(figure, "png", dpi=150)


def _comparison(left: Picture, right: Picture, found: Mapping[Measure, StereoMatch], window: int) -> "Figure":
    from matplotlib import colormaps  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    columns, ratio = len(found) + 1, left.shape[0] / left.shape[1]
    figure = Figure(figsize=(2.6 * columns + 0.6, 2 * 2.6 * ratio + 1.0), layout="constrained")
    axes = figure.subplots(2, columns, squeeze=False)
    colors = colormaps["magma"].with_extremes(bad=_UNKNOWN)
    low, high = _shared_range(found)
    for row, (picture, name) in enumerate(((left, "left"), (right, "right"))):
        axes[row, 0].imshow(picture)
        axes[row, 0].set_title(name)
    for column, (measure, one) in enumerate(found.items(), start=1):
        disparity, believed = one.disparity.numpy(), one.consistent.numpy()
        image = axes[0, column].imshow(disparity, cmap=colors, vmin=low, vmax=high, interpolation="nearest")
        axes[0, column].set_title(title(measure))
        axes[1, column].imshow(np.where(believed, disparity, np.nan), cmap=colors, vmin=low, vmax=high, interpolation="nearest")
        axes[1, column].set_title(f"left and right agree: {believed.mean():.0%}")
    for ax in axes.flat:
        ax.set_axis_off()
    figure.colorbar(image, ax=axes, label="disparity, pixels (near is bright)", shrink=0.8)
    figure.suptitle(f"Block matching, windows of {window} x {window} pixels; gray: the right picture finds something else", color=_INK)
    return figure


def _shared_range(found: Mapping[Measure, StereoMatch]) -> tuple[float, float]:
    """Returns the range of what is believed, of all measures together; a few outliers do not flatten it."""
    believed = np.concatenate([one.disparity[one.consistent].numpy() for one in found.values()])
    if believed.size == 0:
        return 0.0, 1.0
    low, high = np.quantile(believed, [0.01, 0.99])
    return float(low), float(max(high, low + 1))


def study_chart(result: StudyResult) -> bytes:
    """Draws the share of wrong pixels over window sizes, one panel a condition, with 95 % bands over scenes. Returns an SVG."""
    from matplotlib import rc_context  # noqa: PLC0415

    with rc_context(_STYLE | _SVG):
        return _saved(_study(result), "svg")


def _study(result: StudyResult) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415

    options, columns = result.options, min(3, len(result.options.conditions))
    rows = -(-len(options.conditions) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * rows + 1.0), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    for ax in axes.flat[len(options.conditions) :]:
        ax.set_axis_off()
    for index, standing in enumerate(standings(result)):
        alike = [title(measure) for measure in standing.equals]
        _panel(axes.flat[index], result, index)
        best = " = ".join([title(standing.best), *alike])
        axes.flat[index].set_title(f"{standing.condition}\nbest of L1, L2, cosine: {best}", fontsize=9, loc="left")
    for row in axes:
        row[0].set_ylabel("wrong pixels, %")
    for ax in axes[-1]:
        ax.set_xlabel("window, pixels")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(_heading(result), fontsize=10, x=0.01, ha="left")
    return figure


def _heading(result: StudyResult) -> str:
    options = result.options
    return (
        f"Block matching of {options.scenes} procedural pairs, {options.resolution} x {options.resolution} pixels\n"
        "Wrong: off by more than a pixel where both pictures see the point. Bands: 95 % over scenes. Scales differ"
    )


def _panel(ax: Any, result: StudyResult, index: int) -> None:
    windows = result.options.windows
    for place, measure in enumerate(result.measures):
        found = [interval(scenes) for scenes in result.wrong[index, place]]
        style = {"color": _COLORS[measure], "linestyle": _DASHES[measure], "linewidth": 1.6}
        ax.plot(windows, [100 * one.mean for one in found], label=title(measure), marker="o", markersize=3, **style)
        low, high = ([100 * getattr(one, end) for one in found] for end in ("low", "high"))
        ax.fill_between(windows, low, high, color=_COLORS[measure], alpha=0.12, linewidth=0)
    ax.set_xticks(windows)
    ax.set_ylim(bottom=0)
    ax.grid(axis="y", color="#dcdfe2", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)


def _saved(figure: "Figure", file_format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    metadata = {"Date": None} if file_format == "svg" else {"Software": None}
    figure.savefig(buffer, format=file_format, metadata=metadata, **options)
    return buffer.getvalue()
