"""Distribution metrics against closed forms, direct sums and torchmetrics."""

import warnings
from itertools import permutations, product

import pytest
import torch
from torch import Tensor

from g3dr.backbones import Extraction
from g3dr.errors import DataError
from g3dr.metrics import (
    FeatureStatistics,
    Moments,
    distribution_report,
    frechet_distance,
    halved,
    inception_score,
    kernel_distance,
    kernel_distance_interval,
)
from g3dr.metrics.kernel import _Side
from g3dr.metrics.kernel_variance import SpreadOfPairs, _Between, _Within, spread_between, spread_within

pytestmark = pytest.mark.unit


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def statistics(count: int, name: str, *, seed: int = 0, width: int = 6, shift: float = 0.0, views: int = 1) -> FeatureStatistics:
    source = generator(seed)
    features = torch.randn(count * views, width, generator=source) + shift
    probabilities = torch.randn(count * views, 5, generator=source).softmax(dim=1)
    return FeatureStatistics(features, probabilities, tuple(f"{name}{index // views}" for index in range(count * views)))


def gaussian_samples(mean: Tensor, covariance: Tensor, count: int, seed: int) -> Tensor:
    """Samples whose mean and covariance are exactly those asked for."""
    samples = torch.randn(count, len(mean), generator=generator(seed), dtype=torch.float64)
    samples = samples - samples.mean(dim=0)
    root = torch.linalg.cholesky(samples.T @ samples / (count - 1))
    return torch.linalg.solve_triangular(root, samples.T, upper=False).T @ torch.linalg.cholesky(covariance).T + mean


def test_frechet_distance_of_gaussians_is_the_closed_form() -> None:
    means = torch.tensor([[0.0, 1, 2], [1, 1, 0]], dtype=torch.float64)
    first, second = torch.diag(torch.tensor([1.0, 4, 9], dtype=torch.float64)), torch.diag(torch.tensor([4.0, 4, 1], dtype=torch.float64))
    expected = 1 + 4 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2
    moments = [Moments.of(gaussian_samples(means[index], covariance, 50, index)) for index, covariance in enumerate((first, second))]
    assert frechet_distance(*moments) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_agrees_with_torchmetrics_for_full_covariances() -> None:
    from torchmetrics.image.fid import _compute_fid

    first, second = statistics(40, "a"), statistics(40, "b", seed=1, shift=0.3)
    arguments = [value for s in (first, second) for value in (s.features.double().mean(dim=0), torch.cov(s.features.double().T))]
    assert frechet_distance(first, second) == pytest.approx(_compute_fid(*arguments).item(), rel=1e-8)


def test_frechet_distance_with_fewer_pictures_than_features() -> None:
    first, second = statistics(10, "a", width=50), statistics(12, "b", width=50, seed=1)
    from_moments = frechet_distance(Moments.of(first.features), Moments.of(second.features))
    assert frechet_distance(first, second) == pytest.approx(from_moments, rel=1e-6)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_shrinks_with_the_number_of_pictures() -> None:
    few = frechet_distance(statistics(10, "a", width=20), statistics(10, "b", width=20, seed=1))
    many = frechet_distance(statistics(200, "a", width=20), statistics(200, "b", width=20, seed=1))
    assert few > 3 * many, "the bias at equal size that the floor shows"


def test_moments_merge_as_if_they_were_one() -> None:
    features = torch.randn(30, 4, generator=generator()) + 100
    merged = Moments.of(features[:7]).merge(Moments.of(features[7:20])).merge(Moments.of(features[20:]))
    whole = Moments.of(features)
    torch.testing.assert_close(merged.scatter, whole.scatter, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(merged.average, whole.average)
    assert merged.count == 30


def test_statistics_merge_and_select() -> None:
    whole = statistics(6, "a", views=2)
    cuts = (slice(5), slice(5, 12))
    parts = [FeatureStatistics.of(Extraction(whole.features[cut], whole.probabilities[cut]), whole.sources[cut]) for cut in cuts]
    merged = parts[0].merge(parts[1])
    assert merged.sources == whole.sources
    assert torch.equal(merged.features, whole.features)
    assert merged.only(["a1", "a3"]).sources == ("a1", "a1", "a3", "a3")
    assert kernel_distance(merged, statistics(6, "b", seed=1)) == kernel_distance(whole, statistics(6, "b", seed=1))
    with pytest.raises(DataError, match="one per picture"):
        FeatureStatistics(whole.features, whole.probabilities, ("a",))


def direct_kernel_distance(first: Tensor, second: Tensor) -> float:
    def kernel(a: Tensor, b: Tensor) -> float:
        return float((a.double() @ b.double() / len(a) + 1) ** 3)

    def within(rows: Tensor) -> float:
        return sum(kernel(a, b) for a, b in permutations(rows, 2)) / (len(rows) * (len(rows) - 1))

    between = sum(kernel(a, b) for a in first for b in second) / (len(first) * len(second))
    return within(first) + within(second) - 2 * between


def test_kernel_distance_is_the_direct_double_sum() -> None:
    first, second = statistics(7, "a"), statistics(9, "b", seed=1, shift=0.5)
    assert kernel_distance(first, second) == pytest.approx(direct_kernel_distance(first.features, second.features), rel=1e-9)


def test_kernel_distance_agrees_with_torchmetrics() -> None:
    from torchmetrics.image.kid import poly_mmd

    first, second = statistics(20, "a"), statistics(20, "b", seed=1, shift=0.5)
    judged = poly_mmd(first.features.double(), second.features.double())
    assert kernel_distance(first, second) == pytest.approx(judged.item(), rel=1e-9)


def test_pairs_of_one_source_do_not_count() -> None:
    first = statistics(8, "a")
    other_names = FeatureStatistics(first.features, first.probabilities, tuple(f"b{index}" for index in range(8)))
    assert kernel_distance(first, first) == pytest.approx(0, abs=1e-12)
    assert kernel_distance(first, other_names) < -1e-3, "counting an image against itself would look better than perfect"


def test_kernel_distance_is_unbiased() -> None:
    values = torch.tensor([kernel_distance(statistics(12, "a", seed=2 * s), statistics(12, "b", seed=2 * s + 1)) for s in range(200)])
    assert abs(values.mean()) < 4 * values.std() / 200**0.5


def variances(shift: float, count: int, repeats: int = 300) -> tuple[float, float]:
    """The variance of KID over repeats, and the mean of its estimates."""
    spreads, values = [], []
    for seed in range(repeats):
        first, second = statistics(count, "a", seed=2 * seed), statistics(count + 3, "b", seed=2 * seed + 1, shift=shift)
        kernels = [one.kernel(other) for one, other in product((_Side.of(first), _Side.of(second)), repeat=2)]
        spread = SpreadOfPairs(spread_within(kernels[0]), spread_within(kernels[3]), spread_between(kernels[1]))
        spreads.append(spread.linear() + spread.pairs())
        values.append(kernel_distance(first, second))
    return float(torch.tensor(values).double().var()), float(torch.tensor(spreads).double().mean())


@pytest.mark.parametrize(("shift", "count"), [(0.0, 5), (0.0, 20), (0.5, 12)])
def test_the_variance_of_kid_is_estimated_without_bias(shift: float, count: int) -> None:
    true, estimated = variances(shift, count)
    assert estimated == pytest.approx(true, rel=0.25), "the jackknife would give about 2 true without a shift, half-sampling 3"


def test_views_of_one_object_are_one_unit() -> None:
    single, second = statistics(8, "a"), statistics(9, "b", seed=1)
    doubled = FeatureStatistics(
        single.features.repeat_interleave(2, dim=0),
        single.probabilities.repeat_interleave(2, dim=0),
        tuple(f"a{index // 2}" for index in range(16)),
    )
    once, twice = kernel_distance_interval(single, second), kernel_distance_interval(doubled, second)
    assert (twice.estimate, twice.low, twice.high) == pytest.approx((once.estimate, once.low, once.high), rel=1e-12)


def spread_of(effects: torch.Tensor) -> SpreadOfPairs:
    """Two sets whose sources have these effects."""
    within = _Within(effects, 0.0)
    return SpreadOfPairs(within, within, _Between(torch.zeros_like(effects), torch.zeros_like(effects), 0.0))


def test_a_variance_that_few_sources_decide_is_worth_fewer_degrees_of_freedom() -> None:
    chance = torch.Generator().manual_seed(0)
    even, far_out = torch.randn(100, generator=chance), torch.randn(100, generator=chance).pow(3)
    assert 130 <= spread_of(even).freedom() <= 198  # 2 * 100 * 2 / (3 - 1) for normal effects, at most 100 + 100 - 2
    assert spread_of(far_out).freedom() < 60
    assert spread_of(1e6 * far_out).freedom() == pytest.approx(spread_of(far_out).freedom(), rel=1e-4)
    assert spread_of(torch.tensor([1.0, -1.0] * 6)).freedom() == 22


def test_the_interval_is_around_the_estimate_and_refuses_what_it_cannot_say() -> None:
    pair = statistics(12, "a", views=2), statistics(12, "b", seed=1)
    interval = kernel_distance_interval(*pair)
    assert interval.estimate == kernel_distance(*pair)
    assert interval.low < interval.estimate < interval.high
    with pytest.raises(DataError, match="four source images in each set, got 3"):
        kernel_distance_interval(statistics(3, "a"), statistics(12, "b"))
    with pytest.raises(DataError, match="without a common source"):
        kernel_distance_interval(pair[0], pair[0])


def test_equal_pictures_have_no_interval_to_speak_of() -> None:
    grey = FeatureStatistics(torch.ones(6, 3), torch.ones(6, 1), tuple("abcdef"))
    other = FeatureStatistics(torch.ones(6, 3), torch.ones(6, 1), tuple("ghijkl"))
    interval = kernel_distance_interval(grey, other)
    assert (interval.low, interval.high) == pytest.approx((0, 0), abs=1e-12)


def test_inception_score_of_known_cases() -> None:
    assert inception_score(torch.eye(5)) == pytest.approx(5)
    assert inception_score(torch.full((8, 5), 0.2)) == pytest.approx(1)
    with pytest.raises(DataError, match="10 splits"):
        inception_score(torch.eye(5), splits=10)


def test_inception_score_by_its_definition_and_in_splits() -> None:
    probabilities = statistics(20, "a").probabilities.double()
    marginal = probabilities.mean(dim=0)
    expected = (probabilities * (probabilities / marginal).log()).sum(dim=1).mean().exp().item()
    assert inception_score(probabilities) == pytest.approx(expected, rel=1e-12)
    parts = [inception_score(probabilities[:10]), inception_score(probabilities[10:])]
    assert inception_score(probabilities, splits=2) == pytest.approx(sum(parts) / 2, rel=1e-12)


def test_a_perfect_reconstruction_has_the_floors_distances() -> None:
    reference, inputs = statistics(30, "r"), statistics(12, "i", seed=1)
    report = distribution_report(reference, inputs, inputs, generator())
    assert report.sources == 12
    assert report.fd == report.fd_floor
    assert report.kid == pytest.approx(report.kid_floor)
    assert (report.precision, report.recall) == (report.precision_floor, report.recall_floor)
    worse = FeatureStatistics(inputs.features + 2, inputs.probabilities, inputs.sources)
    report = distribution_report(reference, inputs, worse, generator())
    assert report.fd > report.fd_floor
    assert report.kid_low > report.kid_floor
    assert report.precision < report.precision_floor


def test_halves_share_no_source() -> None:
    inputs = statistics(12, "i")
    reference, real, generated = halved(inputs, inputs, generator())
    assert set(reference.sources) | set(real.sources) == set(inputs.sources)
    assert not set(reference.sources) & set(real.sources)
    assert generated.sources == real.sources
    assert distribution_report(reference, real, generated, generator()).sources == 6


def test_reports_refuse_what_would_not_be_honest() -> None:
    inputs = statistics(8, "i")
    with pytest.raises(DataError, match="other source images"):
        distribution_report(inputs, inputs, inputs, generator())
    with pytest.raises(DataError, match="same source images"):
        distribution_report(statistics(8, "r"), inputs, statistics(8, "x"), generator())
    with pytest.raises(DataError, match="at least four"):
        distribution_report(statistics(3, "r"), inputs, inputs, generator())


class FourNumbers(torch.nn.Module):
    """A feature extractor for torchmetrics: four numbers of a picture."""

    num_features = 4

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.flatten(start_dim=1)[:, :4].double()


def test_whole_metrics_of_torchmetrics_agree() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.inception import InceptionScore
    from torchmetrics.image.kid import KernelInceptionDistance

    first, second = statistics(30, "a", width=4), statistics(30, "b", width=4, seed=1, shift=0.4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that features are kept
        judges = [
            FrechetInceptionDistance(feature=FourNumbers(), normalize=True, input_img_size=(3, 2, 2)).set_dtype(torch.float64),
            KernelInceptionDistance(feature=FourNumbers(), subsets=2, subset_size=30, normalize=True),
        ]
        score = InceptionScore(feature=FourNumbers(), splits=2, normalize=True)
    for judge in judges:
        for real, side in ((True, first), (False, second)):
            judge.update(as_pictures(side.features), real=real)
    score.update(as_pictures(second.features))
    features = [as_pictures(side.features).flatten(start_dim=1)[:, :4].double() for side in (first, second)]
    ours = [FeatureStatistics(values, values.softmax(dim=1), side.sources) for values, side in zip(features, (first, second), strict=True)]
    assert frechet_distance(*ours) == pytest.approx(judges[0].compute().item(), rel=1e-6)
    assert kernel_distance(*ours) == pytest.approx(judges[1].compute()[0].item(), rel=1e-6)
    bytes_seen = (as_pictures(second.features) * 255).byte().flatten(start_dim=1)[:, :4].double()
    torch.manual_seed(0)
    theirs = score.compute()[0].item()
    torch.manual_seed(0)
    order = torch.randperm(30)
    assert inception_score(bytes_seen.softmax(dim=1)[order], splits=2) == pytest.approx(theirs, rel=1e-6)


def as_pictures(features: Tensor) -> Tensor:
    """Pictures in [0, 1] of 2 x 2 pixels whose first four values are the features, scaled."""
    values = (features[:, :4] / 20 + 0.5).clamp(0, 1)
    return torch.nn.functional.pad(values, (0, 8)).view(-1, 3, 2, 2)
