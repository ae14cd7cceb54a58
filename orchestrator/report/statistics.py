"""Intervals for means over images and for paired differences between two methods.

Images are resampled, never rendered frames: the views of one object are not independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.special import bdtr, bdtrik, stdtrit

CONFIDENCE = 0.95
RESAMPLES = 10_000
# With fewer pairs not even a difference of one sign throughout is significant: 2 / 2^5 > 0.05 (sign test).
LEAST_IMAGES = 6
# Two seeds have a Student interval too, but one of 12.7 standard errors: nobody should draw a conclusion from it.
LEAST_SEEDS = 3
# A fixed seed, so that the same ledger always gives the same page.
_SEED = 20_240


@dataclass(frozen=True)
class Interval:
    """A mean (or a median) with its interval.

    Attributes:
        mean: Mean over images, or over seeds.
        low: Lower end; None with too few values for one.
        high: Upper end; None with too few values for one.
        count: Images, or seeds.
        least: With fewer of them nothing is concluded.
    """

    mean: float
    low: float | None
    high: float | None
    count: int
    least: int = LEAST_IMAGES

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero, with enough values to say so."""
        return self.count >= self.least and self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def bootstrap_mean(values: Sequence[float | None]) -> Interval | None:
    """Returns mean and interval of the known values, or None if there are none.

    Source: Hesterberg, What Teachers Should Know About the Bootstrap, 2015, section 5.3 (expanded percentile interval):
    plain percentiles are too narrow for the dozen images of a species.
    """
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if known.size == 0:
        return None
    if known.size == 1:
        return Interval(float(known[0]), None, None, 1)
    draws = np.random.default_rng(_SEED).integers(known.size, size=(RESAMPLES, known.size))
    tail = _expanded_tail(known.size)
    low, high = np.quantile(known[draws].mean(axis=1), [tail, 1 - tail])
    return Interval(float(known.mean()), float(low), float(high), int(known.size))


def _expanded_tail(count: int) -> float:
    """Returns the percentile whose interval is as wide as Student's for `count` values of a normal distribution."""
    normal = NormalDist()
    z, freedom = normal.inv_cdf(0.5 + CONFIDENCE / 2), count - 1
    # Student's quantile by its expansion in 1 / freedom (Abramowitz and Stegun 26.7.5).
    student = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return normal.cdf(-student * (count / freedom) ** 0.5)


def student_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Returns the mean of a few values, such as one a seed, with Student's interval; None if there are none.

    Resampling three values says nothing about those that were not drawn; Student's interval is wide then, as it should be.

    Args:
        values: The values.
        confidence: How often such an interval holds the truth; more than 0.95 where several are judged together.
    """
    if not values:
        return None
    known = np.asarray(values, dtype=np.float64)
    mean, freedom = float(known.mean()), len(values) - 1
    if freedom == 0:
        return Interval(mean, None, None, 1, LEAST_SEEDS)
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * float(known.std(ddof=1)) / len(values) ** 0.5
    return Interval(mean, mean - reach, mean + reach, len(values), LEAST_SEEDS)


def median_interval(values: Sequence[float]) -> Interval | None:
    """Returns the median with its 95 % interval between two of the values themselves; None if there are none.

    It holds for values of any distribution with a median, and no single value can move it far: made for measured times.

    Source: the sign test; the interval ends at the order statistics whose binomial tails are at most 2.5 % each.
    """
    known = sorted(values)
    if not known:
        return None
    median, rank = float(np.median(known)), int(bdtrik((1 - CONFIDENCE) / 2, len(known), 0.5))
    tail = float(bdtr(rank, len(known), 0.5))
    below = rank if tail <= (1 - CONFIDENCE) / 2 else rank - 1
    if below < 0:
        return Interval(median, None, None, len(known))
    return Interval(median, known[below], known[-1 - below], len(known))


def share_interval(count: int, total: int) -> Interval:
    """Returns a share of things that are counted, 0 to 1, with Wilson's 95 % score interval.

    It stays within 0 and 1 and says something where all or none are counted, as nothing that is built on a standard error does.

    Args:
        count: How many are counted.
        total: Of how many; 1 or more.
    """
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    share, weight = count / total, 1 + z * z / total
    middle = (share + z * z / (2 * total)) / weight
    reach = z / weight * (share * (1 - share) / total + (z / (2 * total)) ** 2) ** 0.5
    return Interval(share, max(0.0, middle - reach), min(1.0, middle + reach), total)


def differences(method: Mapping[str, float | None], baseline: Mapping[str, float | None]) -> dict[str, float]:
    """Returns method minus baseline for each image that both know, in the order of the method."""
    pairs = {key: (value, baseline.get(key)) for key, value in method.items()}
    return {key: value - other for key, (value, other) in pairs.items() if value is not None and other is not None}


def paired(method: Mapping[str, float | None], baseline: Mapping[str, float | None]) -> Interval | None:
    """Returns the mean paired difference (method minus baseline) with its interval over the images that both know."""
    return bootstrap_mean(list(differences(method, baseline).values()))


def mean_of(values: Sequence[float | None]) -> float | None:
    """Returns the mean of the known values, or None if there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
