"""One harness for every metric: any split into batches, any order of merging, empty workers in between, give the same value."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest
import torch
from torch import Tensor

from g3dr.backbones import Extraction
from g3dr.errors import DataError
from g3dr.metrics import (
    ClassSums,
    FeatureStatistics,
    Mean,
    Means,
    Moments,
    depth_l2_normalized,
    depth_rmse,
    distribution_report,
    flatness,
    frechet_distance,
    inception_score,
    kernel_distance,
    kernel_distance_interval,
    perceptual_distance,
    precision_recall,
    psnr,
    ssim,
)

pytestmark = pytest.mark.unit
COUNT, WIDTH, CLASSES = 24, 5, 7
SPLITS = {
    "one batch": (24,),
    "thirds": (8, 8, 8),
    "uneven": (1, 15, 3, 5),
    "single pictures": (1,) * 24,
    "with empty workers": (0, 10, 0, 14, 0),
}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class TwoStages:
    """A network of two stages that costs nothing."""

    name, sha256 = "two-stages", "0" * 64

    def stage_features(self, images: Tensor, deepest: int | None = None) -> list[Tensor]:
        return [images * 0.5, torch.nn.functional.avg_pool2d(images, 2)]


TARGETS = drawn(COUNT, 3, 12, 12).clamp(-1, 1)
PREDICTIONS = (TARGETS + 0.3 * drawn(COUNT, 3, 12, 12, seed=1)).clamp(-1, 1)
DEPTHS, TRUE_DEPTHS = 5 + 0.4 * drawn(COUNT, 1, 12, 12, seed=2), 5 + 0.4 * drawn(COUNT, 1, 12, 12, seed=3)
MASKS = drawn(COUNT, 1, 12, 12, seed=4) > 0
MASKS[3] = False
FEATURES, PROBABILITIES = drawn(COUNT, WIDTH, seed=5), drawn(COUNT, CLASSES, seed=6).softmax(dim=1)
SOURCES = tuple(f"object {index // 2}" for index in range(COUNT))
REFERENCE = FeatureStatistics(
    drawn(COUNT, WIDTH, seed=7) + 0.2, drawn(COUNT, CLASSES, seed=8).softmax(dim=1), tuple(f"other {index}" for index in range(COUNT))
)
INPUTS = FeatureStatistics(drawn(COUNT, WIDTH, seed=9), PROBABILITIES, SOURCES)


def mean_of(metric: Callable[[slice], Tensor]) -> tuple[Any, Callable[[Any, slice], Any], Callable[[Any], Any]]:
    return Mean(), lambda mean, cut: mean.update(metric(cut)), Mean.compute


def statistics_of(metric: Callable[[FeatureStatistics], Any]) -> tuple[Any, Callable[[Any, slice], Any], Callable[[Any], Any]]:
    def update(statistics: FeatureStatistics, cut: slice) -> FeatureStatistics:
        return statistics.update(Extraction(FEATURES[cut], PROBABILITIES[cut]), SOURCES[cut])

    return FeatureStatistics.empty(), update, metric


def interval_ends(made: FeatureStatistics) -> list[float]:
    interval = kernel_distance_interval(REFERENCE, made)
    return [interval.estimate, interval.low, interval.high]


def shares(made: FeatureStatistics) -> list[float]:
    found = precision_recall(REFERENCE, made)
    return [found.precision, found.recall]


def whole_report(made: FeatureStatistics) -> list[float]:
    return list(vars(distribution_report(REFERENCE, INPUTS, made, torch.Generator().manual_seed(0))).values())


METRICS = {
    "psnr": mean_of(lambda cut: psnr(PREDICTIONS[cut], TARGETS[cut])),
    "psnr in masks": mean_of(lambda cut: psnr(PREDICTIONS[cut], TARGETS[cut], MASKS[cut])),
    "ssim": mean_of(lambda cut: ssim(PREDICTIONS[cut], TARGETS[cut], MASKS[cut])),
    "perceptual": mean_of(lambda cut: perceptual_distance(TwoStages(), PREDICTIONS[cut].double(), TARGETS[cut].double(), MASKS[cut])),
    "depth_rmse": mean_of(lambda cut: depth_rmse(DEPTHS[cut], TRUE_DEPTHS[cut], MASKS[cut])),
    "depth_l2_normalized": mean_of(lambda cut: depth_l2_normalized(DEPTHS[cut], TRUE_DEPTHS[cut])),
    "nfs": mean_of(lambda cut: flatness(DEPTHS[cut])),
    "several at once": (
        Means(),
        lambda means, cut: means.update({"a": psnr(PREDICTIONS[cut], TARGETS[cut], MASKS[cut]), "b": flatness(DEPTHS[cut])}),
        lambda means: list(means.compute().values()),
    ),
    "inception score from sums": (ClassSums(), lambda sums, cut: sums.update(PROBABILITIES[cut]), ClassSums.compute),
    "fd from moments": (
        Moments(),
        lambda moments, cut: moments.update(FEATURES[cut]),
        lambda moments: frechet_distance(moments, Moments.of(REFERENCE.features)),
    ),
    "fd": statistics_of(lambda made: frechet_distance(REFERENCE, made)),
    "kid": statistics_of(lambda made: kernel_distance(REFERENCE, made)),
    "kid's interval": statistics_of(interval_ends),
    "precision and recall": statistics_of(shares),
    "inception score": statistics_of(lambda made: inception_score(made.probabilities)),
    "the whole report": statistics_of(whole_report),
}


def parts(metric: str, split: str) -> list[Any]:
    """One accumulator for each part of the split, as workers would hold them."""
    empty, update, _ = METRICS[metric]
    ends = torch.tensor(SPLITS[split]).cumsum(0).tolist()
    cuts = [slice(end - length, end) for end, length in zip(ends, SPLITS[split], strict=True)]
    return [update(empty, cut) if length else empty for cut, length in zip(cuts, SPLITS[split], strict=True)]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("metric", METRICS)
def test_splits_and_orders_do_not_matter(metric: str, split: str) -> None:
    empty, update, value = METRICS[metric]
    whole = value(update(empty, slice(None)))
    workers = parts(metric, split)
    half = len(workers) // 2
    merged = {
        "in order": reduce(lambda a, b: a.merge(b), workers, empty),
        "backwards": reduce(lambda a, b: a.merge(b), workers[::-1], empty),
        "as a tree": reduce(lambda a, b: a.merge(b), workers[:half], empty).merge(reduce(lambda a, b: a.merge(b), workers[half:], empty)),
    }
    for order, accumulator in merged.items():
        assert value(accumulator) == pytest.approx(whole, rel=1e-12, abs=1e-12), order


@pytest.mark.parametrize("metric", METRICS)
def test_batches_of_one_worker_are_as_good_as_merging(metric: str) -> None:
    empty, update, value = METRICS[metric]
    grown = reduce(update, [slice(0, 9), slice(9, 9), slice(9, 24)], empty)
    assert value(grown) == pytest.approx(value(update(empty, slice(None))), rel=1e-12, abs=1e-12)


def test_nothing_is_unknown_and_never_zero() -> None:
    assert Mean().compute() is None
    assert Means().compute() == {}
    assert ClassSums().compute() is None
    for compute in (Moments().compute, lambda: frechet_distance(FeatureStatistics.empty(), REFERENCE)):
        with pytest.raises(DataError, match="at least 2 pictures"):
            compute()
    with pytest.raises(DataError, match="two source images"):
        kernel_distance(FeatureStatistics.empty(), REFERENCE)
    with pytest.raises(DataError, match="more source images"):
        precision_recall(REFERENCE, FeatureStatistics.empty())


def test_a_worker_that_lacks_a_metric_changes_nothing() -> None:
    means = Means().update({"a": torch.tensor([1.0, 2.0])}).merge(Means().update({"b": torch.tensor([5.0, torch.nan])}))
    assert means.compute() == {"a": 1.5, "b": 5.0}


def test_sums_are_in_float64() -> None:
    values = torch.cat([torch.tensor([1e8]), torch.full((1000,), 0.01)])
    assert Mean.of(values).compute() == pytest.approx((1e8 + 10) / 1001, rel=1e-12)
    assert Moments.of(FEATURES).scatter.dtype == torch.float64
    far = Moments.of(FEATURES + 1e4).merge(Moments.of(FEATURES + 1e4))
    assert frechet_distance(far, Moments.of((FEATURES + 1e4).repeat(2, 1))) == pytest.approx(0, abs=1e-6)


def test_stored_statistics_are_the_same_and_damage_is_noticed() -> None:
    data = REFERENCE.to_bytes()
    again = FeatureStatistics.from_bytes(data)
    assert again.sources == REFERENCE.sources
    assert torch.equal(again.features, REFERENCE.features)
    assert torch.equal(again.probabilities, REFERENCE.probabilities)
    assert again.to_bytes() == data
    named = FeatureStatistics(FEATURES[:1], PROBABILITIES[:1], ("käfer/ü 1",))
    assert FeatureStatistics.from_bytes(named.to_bytes()).sources == ("käfer/ü 1",)
    assert FeatureStatistics.from_bytes(FeatureStatistics.empty().to_bytes()).count == 0
    for damaged in (b"", data[: len(data) // 2], b"x" * 100, data.replace(b'"features"', b'"peatures"', 1)):
        with pytest.raises(DataError, match="damaged"):
            FeatureStatistics.from_bytes(damaged)
