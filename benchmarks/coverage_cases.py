"""What the simulation of intervals draws, and which interval it asks for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.pictures import animals, seen
from g3dr.backbones import load_extractor
from g3dr.metrics import FeatureStatistics, kernel_distance_interval
from orchestrator.report.statistics import bootstrap_mean, paired, student_mean

Draw = Callable[[np.random.Generator, int], np.ndarray]
Ends = tuple[float, float]
IMAGES_OF_A_SEED = 16


@dataclass(frozen=True)
class Case:
    """One kind of interval on one distribution.

    Attributes:
        interval: What is printed in reports.
        distribution: What the values are drawn from.
        truth: What the interval should cover.
        ends: Draws N values and returns the interval's ends.
    """

    interval: str
    distribution: str
    truth: float
    ends: Callable[[np.random.Generator, int], Ends]


def _outliers(generator: np.random.Generator, count: int) -> np.ndarray:
    """One image in ten changes ten times as much: so do PSNR differences of two runs."""
    return generator.standard_normal(count) * np.where(generator.random(count) < 0.1, 1.0, 0.1)


# All of them have mean 0.
DRAWS: dict[str, Draw] = {
    "normal": lambda generator, count: generator.standard_normal(count),
    "skewed (exponential)": lambda generator, count: generator.exponential(size=count) - 1,
    "heavy tails (Student, 3 degrees)": lambda generator, count: generator.standard_t(3, count),
    "one in ten tenfold": _outliers,
}


def _mean_over_images(draw: Draw) -> Callable[[np.random.Generator, int], Ends]:
    def ends(generator: np.random.Generator, count: int) -> Ends:
        return _known(bootstrap_mean(list(25 + draw(generator, count))))

    return ends


def _paired_difference(draw: Draw) -> Callable[[np.random.Generator, int], Ends]:
    """The images differ far more than the methods do."""

    def ends(generator: np.random.Generator, count: int) -> Ends:
        baseline = {str(index): value for index, value in enumerate(generator.normal(25, 5, count))}
        changes = 0.3 + draw(generator, count)
        return _known(paired({key: value + change for (key, value), change in zip(baseline.items(), changes, strict=True)}, baseline))

    return ends


def _mean_over_seeds(draw: Draw) -> Callable[[np.random.Generator, int], Ends]:
    """A seed's value is itself a mean over images."""

    def ends(generator: np.random.Generator, count: int) -> Ends:
        return _known(student_mean(list(draw(generator, count * IMAGES_OF_A_SEED).reshape(count, -1).mean(axis=1))))

    return ends


def _known(interval: object) -> Ends:
    low, high = getattr(interval, "low", None), getattr(interval, "high", None)
    if low is None or high is None:
        raise ValueError("the interval has no ends")
    return low, high


@dataclass(frozen=True)
class _Population:
    """A finite population of pictures; sets are drawn from it with replacement, so its truth is known exactly."""

    features: Tensor

    def drawn(self, generator: np.random.Generator, count: int, name: str) -> FeatureStatistics:
        chosen = torch.from_numpy(generator.integers(len(self.features), size=count))
        return FeatureStatistics(self.features[chosen], torch.ones(count, 1), tuple(f"{name}{index}" for index in range(count)))

    def kernel(self, other: "_Population") -> float:
        """Returns the mean kernel of two independent draws."""
        first, second = self.features.double(), other.features.double()
        return float(((first @ second.T / first.shape[1] + 1) ** 3).mean())


def _kernel_case(distribution: str, first: _Population, second: _Population) -> Case:
    def ends(generator: np.random.Generator, count: int) -> Ends:
        return _known(kernel_distance_interval(first.drawn(generator, count, "a"), second.drawn(generator, count, "b")))

    truth = first.kernel(first) + second.kernel(second) - 2 * first.kernel(second)
    return Case("KID", distribution, truth, ends)


def drawn_populations(count: int = 2000, width: int = 64, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Returns two populations of features that nobody looked at: skewed, correlated, not negative, like those of networks."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator) / torch.arange(1, width + 1) ** 0.5
    latent = [torch.randn(count, width, generator=generator) + shift for shift in (0.0, 0.25)]
    first, second = (torch.relu(part @ mixing) for part in latent)
    return first, second


def pictured_populations(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the features of a species' pictures, of the same pictures blurred, and of another species'."""
    from torchvision.transforms.functional import gaussian_blur  # noqa: PLC0415 (slow to import)

    extractor = load_extractor("efficientnet_lite0")
    pictures = animals(0, count)
    first, second, third = (
        seen(extractor, part).features for part in (pictures, gaussian_blur(pictures, [5, 5], [0.7, 0.7]), animals(1, count))
    )
    return first, second, third


def mean_cases() -> Iterator[Case]:
    """Yields the intervals of means: over images, of paired differences, over seeds."""
    for name, draw in DRAWS.items():
        yield Case("mean over images", name, 25.0, _mean_over_images(draw))
        yield Case("paired difference", name, 0.3, _paired_difference(draw))
        yield Case("mean over seeds", name, 0.0, _mean_over_seeds(draw))


def drawn_kernel_cases() -> Iterator[Case]:
    """Yields KID's interval on features from a formula."""
    first, second = (_Population(part) for part in drawn_populations())
    yield _kernel_case("drawn features, both sets alike", first, first)
    yield _kernel_case("drawn features, apart", first, second)


def pictured_kernel_cases(count: int) -> Iterator[Case]:
    """Yields KID's interval on real features of `count` pictures of each kind."""
    same, blurred, other = (_Population(part) for part in pictured_populations(count))
    yield _kernel_case("pictures, both sets alike", same, same)
    yield _kernel_case("pictures and blurred ones", same, blurred)
    yield _kernel_case("pictures of two species", same, other)
