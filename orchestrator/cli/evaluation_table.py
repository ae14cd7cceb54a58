"""The table of `g3dr evaluate`: every number with its interval, and what to hold it against."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from g3dr.metrics.naming import metric_title
from orchestrator.report.statistics import bootstrap_mean


@dataclass(frozen=True)
class Row:
    """One metric.

    Attributes:
        metric: Its name in the record.
        title: Its name for people.
        digits: Behind the point.
        against: Name of the metric that it is held against; empty for none.
        meaning: What that is.
    """

    metric: str
    title: str
    digits: int = 3
    against: str = ""
    meaning: str = ""


_ROWS = (
    Row("canonical_psnr", "PSNR, input view (dB)", 2),
    Row("canonical_ssim", "SSIM, input view"),
    Row("canonical_lpips", "LPIPS, input view"),
    Row("canonical_perceptual", "perceptual, input view"),
    Row("depth_rmse", "depth RMSE, input view"),
    Row("depth_l2_normalized", "depth L2, normalized"),
    Row("nfs", "NFS", 2, "nfs_truth", "of the true depth"),
    Row("novel_psnr", "PSNR, novel views (dB)", 2, "copy_input_psnr", "the input image copied"),
    Row("novel_ssim", "SSIM, novel views", 3, "copy_input_ssim", "the input image copied"),
    Row("novel_lpips", "LPIPS, novel views", 3, "copy_input_lpips", "the input image copied"),
    Row("novel_perceptual", "perceptual, novel views", 3, "copy_input_perceptual", "the input image copied"),
    Row("novel_depth_rmse", "depth RMSE, novel views", 3, "copy_input_depth_rmse", "the input depth copied"),
)


def evaluation_table(record: Mapping[str, Any]) -> Table:
    """Returns the table of an evaluation's record."""
    table = Table("metric", box=None, pad_edge=False)
    for heading in ("value", "95 % interval", "N"):
        table.add_column(heading, justify="right")
    table.add_column("to compare")
    for cells in (*_per_image(record), *_distribution(record)):
        table.add_row(*map(escape, cells))
    return table


def _per_image(record: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    metrics, columns = record["metrics"], record["per_image"]
    for row in _ROWS:
        interval = bootstrap_mean(columns.get(row.metric, ()))
        if interval is None:
            continue
        reach = _reach(interval.low, interval.high, row.digits)
        against = f"{metrics[row.against]:.{row.digits}f} {row.meaning}" if row.against in metrics else ""
        yield row.title, f"{interval.mean:.{row.digits}f}", reach, str(interval.count), against


def _distribution(record: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    metrics, extractor = record["metrics"], record["extractor"]["name"]
    count, floor = str(metrics.get("distribution_images", "")), "real against real"
    if "fd" not in metrics:
        return
    kid = _reach(metrics["kid_low"], metrics["kid_high"], 3)
    yield metric_title("kid", extractor), f"{metrics['kid']:.3f}", kid, count, f"{metrics['kid_floor']:.3f} {floor}"
    yield metric_title("fd", extractor), f"{metrics['fd']:.1f}", "", count, f"{metrics['fd_floor']:.1f} {floor}"
    yield metric_title("precision", extractor), f"{metrics['precision']:.2f}", "", count, f"{metrics['precision_floor']:.2f} {floor}"
    yield metric_title("recall", extractor), f"{metrics['recall']:.2f}", "", count, f"{metrics['recall_floor']:.2f} {floor}"
    yield metric_title("inception_score", extractor), f"{metrics['inception_score']:.2f}", "", str(record["images"]), "all species together"


def _reach(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"{low:.{digits}f} to {high:.{digits}f}"


def notes(record: Mapping[str, Any]) -> Iterator[str]:
    """Yields the sentences below the table: what was measured on what, and with which networks."""
    data, extractor, reference = record["spec"]["data"], record["extractor"], record.get("reference")
    yield f"{record['images']} images of the {data['split']} split (version {data['version']}), {record['views']} other views of each"
    if reference and reference["kind"] == "other_images":
        yield f"distributions against {reference['images']} real pictures of other objects, {reference['split']} split"
    elif reference:
        yield f"distributions of one half of the objects against the real pictures of the other, {reference['images']} each"
    else:
        yield "too few images for distributions: four are needed, eight where the data has no other real pictures"
    networks = [extractor, record["perceptual"]] if record.get("perceptual") else [extractor]
    for network in {network["name"]: network for network in networks}.values():
        yield f"{network['name']}: SHA-256 {network['sha256'][:16]}..."
