"""Differences between experiments, image by image, wherever two of them measured the same images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.report.comparing.sides import Side
from orchestrator.report.records import Evaluation, Number
from orchestrator.report.results import SpeciesRow, per_image
from orchestrator.report.statistics import Interval, mean_of, paired

HEADLINE = ""


@dataclass(frozen=True)
class Metric:
    """A metric of images and how it is shown: `better` is 1 if more is better, -1 if less is, 0 if neither."""

    name: str
    heading: str
    unit: str
    digits: int
    better: int


METRICS = (
    Metric("novel_psnr", "Novel views", "PSNR, dB", 2, 1),
    Metric("novel_lpips", "Novel views", "LPIPS", 3, -1),
    Metric("novel_perceptual", "Novel views", "perceptual distance", 3, -1),
    Metric("canonical_psnr", "Input view", "PSNR, dB", 2, 1),
    Metric("canonical_ssim", "Input view", "SSIM", 3, 1),
    Metric("canonical_lpips", "Input view", "LPIPS", 3, -1),
    Metric("canonical_perceptual", "Input view", "perceptual distance", 3, -1),
    Metric("novel_depth_rmse", "Novel depth", "RMSE", 3, -1),
    Metric("depth_rmse", "Input depth", "RMSE", 3, -1),
    Metric("depth_l2_normalized", "Input depth", "L2, normalised", 3, -1),
    Metric("nfs", "Flatness score", "NFS", 1, 0),
)


@dataclass(frozen=True)
class Pair:
    """One metric of two experiments on the images that both measured.

    Attributes:
        what: Species and recipe, or `HEADLINE` for the model on unseen images.
        metric: The metric.
        first: Name of the experiment that is compared with.
        second: Name of the other.
        means: Of the first and of the second, over those images.
        difference: Second minus first, paired, with its interval over images.
    """

    what: str
    metric: Metric
    first: str
    second: str
    means: tuple[Number, Number]
    difference: Interval

    @property
    def verdict(self) -> int:
        """1 if the second is better, -1 if it is worse, 0 if that cannot be said."""
        if not self.difference.excludes_zero:
            return 0
        return self.metric.better if self.difference.mean > 0 else -self.metric.better


def pairs(sides: Sequence[Side]) -> list[Pair]:
    """Returns every difference from the first experiment that images support."""
    first = sides[0]
    return [pair for second in sides[1:] for pair in (*_headline_pairs(first, second), *_species_pairs(first, second))]


def same_images(one: Evaluation, other: Evaluation) -> bool:
    """Tells whether images of equal keys are equal: they come from datasets of the same content."""
    return bool(one.data_version) and one.data_version == other.data_version


def _headline_pairs(first: Side, second: Side) -> Iterator[Pair]:
    if first.head and second.head and same_images(first.head.evaluation, second.head.evaluation):
        one, other = first.head.evaluation, second.head.evaluation
        for metric in METRICS:
            if _measured_alike(metric, one, other):
                yield from _pair(HEADLINE, metric, (first, one.by_key(metric.name)), (second, other.by_key(metric.name)))


def _species_pairs(first: Side, second: Side) -> Iterator[Pair]:
    theirs = {(row.species, row.recipe): row for row in second.rows}
    for row in first.rows:
        other = theirs.get((row.species, row.recipe))
        if other and _rows_alike(row, other):
            for metric in METRICS:
                mine = per_image(row.runs, row.species, metric.name)
                yield from _pair(
                    f"{row.species}, {row.recipe.replace('_', '-')}",
                    metric,
                    (first, mine),
                    (second, per_image(other.runs, row.species, metric.name)),
                )


def _rows_alike(row: SpeciesRow, other: SpeciesRow) -> bool:
    """Tells whether all runs measured the same images, and are not the same runs, whose differences are nothing."""
    evaluations = [run.evaluation for run in (*row.runs, *other.runs) if run.evaluation]
    shared = {run.run for run in row.runs} == {run.run for run in other.runs}
    return bool(evaluations) and not shared and all(same_images(evaluations[0], evaluation) for evaluation in evaluations)


def _measured_alike(metric: Metric, one: Evaluation, other: Evaluation) -> bool:
    """A distance of another network, or over other views, is another quantity."""
    networks = {(evaluation.perceptual, evaluation.perceptual_hash) for evaluation in (one, other)}
    if metric.name.endswith(("_lpips", "_perceptual")) and len(networks) > 1:
        return False
    return not metric.name.startswith("novel_") or one.spec.get("views") == other.spec.get("views")


def _pair(what: str, metric: Metric, first: tuple[Side, Mapping[str, Number]], second: tuple[Side, Mapping[str, Number]]) -> Iterator[Pair]:
    (one, mine), (other, theirs) = first, second
    difference = paired(theirs, mine)
    if difference is None:
        return
    both = [key for key, value in mine.items() if value is not None and theirs.get(key) is not None]
    means = (mean_of([mine[key] for key in both]), mean_of([theirs[key] for key in both]))
    yield Pair(what, metric, one.name, other.name, means, difference)
