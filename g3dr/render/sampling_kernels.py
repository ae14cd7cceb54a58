# ruff: noqa: PLR0917, RUF100 (compiled loops take arrays and numbers one by one)
"""Where fine samples lie, as machine code for a CPU: `sampling.weighted_distances` of coarse weights, ray by ray.

Only `compiled_rays.py` calls this. Shapes: densities, distances, quantiles, fine [image, ray, sample]; hit [image, ray]; all float32.
"""

from typing import no_type_check

import numpy as np

from g3dr.render.kernel_math import HALF, ONE, ZERO, Single, compiled, thicken, weigh
from g3dr.render.sampling import PROBABILITY_EPSILON, WEIGHT_FLOOR

MATH = "c05321ea7c00f0de"  # the digest of kernel_math.py
FLOOR, EPSILON = Single(WEIGHT_FLOOR), Single(PROBABILITY_EPSILON)


@no_type_check
@compiled()
def _accumulate(weights, intervals, cumulative):
    """Writes the cumulative distribution over the inner bins: weights spread to their neighbours, with a floor."""
    total = 0.0
    cumulative[0] = ZERO
    for i in range(1, intervals - 1):
        spread = (max(weights[i - 1], weights[i]) + max(weights[i], weights[i + 1])) * HALF
        total += spread + FLOOR + EPSILON
        cumulative[i] = total
    for i in range(1, intervals - 1):
        cumulative[i] /= total


@no_type_check
@compiled()
def _bin(cumulative, last, quantile, guess):
    """Returns the first entry above a quantile, 1 to `last`; `guess` is that of a smaller quantile, or 1."""
    low, high = guess, last
    if cumulative[low] > quantile:
        return low
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] > quantile:
            high = middle
        else:
            low = middle + 1
    return low


@no_type_check
@compiled(keep=True)
def draw(densities, distances, hit, quantiles, image, begin, end, fine):
    """Writes distances where the coarse weights are high, for the rays from `begin` to `end` of one image."""
    intervals = distances.shape[2] - 1
    weights, through, cumulative = np.empty(intervals, Single), np.empty(intervals + 1, Single), np.empty(intervals, Single)
    last = intervals - 2
    for ray in range(begin, end):
        edges = distances[image, ray]
        thicken(densities[image, ray], edges, hit[image, ray], intervals, weights)
        weigh(weights, intervals, through)
        _accumulate(weights, intervals, cumulative)
        before, upper = ZERO, 1
        for sample in range(quantiles.shape[2]):
            quantile = quantiles[image, ray, sample]
            upper = _bin(cumulative, last, quantile, upper if quantile >= before else 1)
            before = quantile
            below = cumulative[upper - 1]
            width = cumulative[upper] - below
            fraction = (quantile - below) / (ONE if width < EPSILON else width)
            start, stop = (edges[upper - 1] + edges[upper]) * HALF, (edges[upper] + edges[upper + 1]) * HALF
            fine[image, ray, sample] = start + fraction * (stop - start)
