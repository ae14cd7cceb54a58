# ruff: noqa: PLR0917, RUF100 (compiled loops take arrays and numbers one by one)
"""Compositing as machine code for a CPU, and the way back: a ray's samples and intervals stay in the first-level cache.

The loops follow `compositing.py`, which is the stock form of the same mathematics; only `compiled_rays.py` calls them. Samples of a
ray come in any order, coarse ones first.

Shapes: raw and its gradient [value, image, ray, sample], raw density first; distances [image, ray, sample]; colors and their gradient
[value - 1, image, ray]; what there is one of per ray [image, ray]. All are float32.
"""

from typing import no_type_check

import numpy as np

from g3dr.render.compositing import COLORS, DEPTH_EPSILON, REGULARIZATION_PEAK, REGULARIZATION_RANGE, REGULARIZATION_SPREAD
from g3dr.render.decoder import COLOR_MARGIN
from g3dr.render.kernel_math import HALF, ONE, ZERO, Single, compiled, exp_of_minus, logistic, thicken, weigh

MATH = "c05321ea7c00f0de"  # the digest of kernel_math.py
TWO = Single(2)
MARGIN, STRETCH = Single(COLOR_MARGIN), Single(1 + 2 * COLOR_MARGIN)
PEAK, SHARPNESS = Single(REGULARIZATION_PEAK), Single(1 / REGULARIZATION_SPREAD)
LEAST, MOST = Single(REGULARIZATION_RANGE[0]), Single(REGULARIZATION_RANGE[1])
SEEN_EPSILON = Single(DEPTH_EPSILON)


@no_type_check
@compiled()
def _sort(values, first, last, order):
    """Writes the indices from `first` to `last` in the order of their values; equal values keep theirs."""
    for i in range(first, last):
        value, place = values[i], i
        while place > first and values[order[place - 1]] > value:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i


@no_type_check
@compiled()
def _merge(values, border, count, halves, order):
    """Writes the indices of both sorted halves in the order of their values, those before `border` first where values are equal."""
    a, b = 0, border
    for place in range(count):
        if b >= count or (a < border and not values[halves[b]] < values[halves[a]]):
            order[place] = halves[a]
            a += 1
        else:
            order[place] = halves[b]
            b += 1


@no_type_check
@compiled()
def _arrange(values, border, halves, order):
    """Writes the order of a ray's samples."""
    count = len(values)
    _sort(values, 0, border, halves)
    _sort(values, border, count, halves)
    _merge(values, border, count, halves, order)


@no_type_check
@compiled("reassoc", "nsz")
def _color(raw, shares):
    """Returns the sum of squashed colours by their shares."""
    total = ZERO
    for i in range(len(shares)):
        total += shares[i] * (logistic(raw[i]) * STRETCH - MARGIN)
    return total


@no_type_check
@compiled("reassoc", "nsz")
def _dot(values, shares):
    total = ZERO
    for i in range(len(shares)):
        total += shares[i] * values[i]
    return total


@no_type_check
@compiled()
def _see(densities, distances, shown, order, sorted_distances, sorted_densities, through, weights):
    """Puts a ray's samples in order, and writes how much of each interval is seen, and what those in front let through."""
    intervals = len(order) - 1
    for place in range(len(order)):
        sorted_distances[place], sorted_densities[place] = distances[order[place]], densities[order[place]]
    thicken(sorted_densities, sorted_distances, shown, intervals, weights)
    weigh(weights, intervals, through)


@no_type_check
@compiled()
def _share(weights, order, shares):
    """Writes how much of each sample is seen, half of the intervals on both of its sides, where its sample stands."""
    last = len(order) - 1
    if last == 0:
        shares[0] = ZERO
        return
    shares[order[0]] = weights[0] * HALF
    for i in range(1, last):
        shares[order[i]] = (weights[i - 1] + weights[i]) * HALF
    shares[order[last]] = weights[last - 1] * HALF


@no_type_check
@compiled("reassoc", "nsz")
def _locate(distances, weights, intervals, positions):
    """Writes the middles of intervals; returns opacity, depth, and the variance of the distances that the ray sees."""
    opacity = moment = ZERO
    for i in range(intervals):
        positions[i] = (distances[i + 1] + distances[i]) * HALF
        opacity += weights[i]
        moment += weights[i] * positions[i]
    depth, spread = moment / (opacity + SEEN_EPSILON), ZERO
    for i in range(intervals):
        apart = positions[i] - depth
        spread += weights[i] * (apart * apart)
    return opacity, depth, spread / (opacity + SEEN_EPSILON)


@no_type_check
@compiled(keep=True)
def composite(raw, distances, border, hit, image, begin, end, colors, depths, opacities, spreads):
    """Writes the pixels of the rays from `begin` to `end` of one image; samples before `border` are the coarse ones."""
    count = distances.shape[2]
    intervals = count - 1
    halves, order = np.empty(count, np.int64), np.empty(count, np.int64)
    sorted_distances, densities, shares = np.empty(count, Single), np.empty(count, Single), np.empty(count, Single)
    weights, positions, through = np.empty(intervals, Single), np.empty(intervals, Single), np.empty(count, Single)
    for ray in range(begin, end):
        _arrange(distances[image, ray], border, halves, order)
        _see(raw[0, image, ray], distances[image, ray], hit[image, ray], order, sorted_distances, densities, through, weights)
        _share(weights, order, shares)
        for value in range(len(colors)):
            raw_values = raw[value + 1, image, ray]
            colors[value, image, ray] = _color(raw_values, shares) if value < COLORS else _dot(raw_values, shares)
        opacity, depth, spread = _locate(sorted_distances, weights, intervals, positions)
        opacities[image, ray], depths[image, ray], spreads[image, ray] = opacity, depth, spread


@no_type_check
@compiled("nsz")
def _keep(positions, known, intervals, kept):
    """Writes how much of each interval's gradient is kept: all of it near the known depth, little far away."""
    for i in range(intervals):
        apart = positions[i] - known
        kept[i] = min(max(PEAK * exp_of_minus(apart * apart * SHARPNESS), LEAST), MOST)


@no_type_check
@compiled("nsz")
def _color_back(raw, kept_shares, incoming, toward_shares, outgoing):
    """Adds what a colour's gradient means for the shares, and writes the gradient of the raw colour."""
    for i in range(len(kept_shares)):
        squashed = logistic(raw[i])
        toward_shares[i] += incoming * (squashed * STRETCH - MARGIN)
        outgoing[i] = incoming * kept_shares[i] * (squashed * (ONE - squashed) * STRETCH)


@no_type_check
@compiled("nsz")
def _dot_back(raw, kept_shares, incoming, toward_shares, outgoing):
    """As `_color_back`, of values that are not squashed."""
    for i in range(len(kept_shares)):
        toward_shares[i] += incoming * raw[i]
        outgoing[i] = incoming * kept_shares[i]


@no_type_check
@compiled("nsz")
def _toward_weights(toward_shares, order, positions, pixel, incoming, toward):
    """Writes the gradient of the intervals' weights; `pixel` and `incoming` hold opacity, depth and spread, and their gradients."""
    opacity, depth, spread = pixel
    of_opacity, of_depth, of_spread = incoming
    scale = ONE / (opacity + SEEN_EPSILON)
    for i in range(len(positions)):
        apart = positions[i] - depth
        # Depth moves with the weights too: apart from `SEEN_EPSILON` that does not change the spread.
        widening = apart * apart - TWO * depth * SEEN_EPSILON * apart * scale - spread
        toward[i] = of_opacity + scale * (of_depth * apart + of_spread * widening)
    for i in range(len(positions)):
        toward[i] += (toward_shares[order[i]] + toward_shares[order[i + 1]]) * HALF


@no_type_check
@compiled()
def _toward_thickness(toward, weights, through, kept, intervals):
    """Turns the gradient of weights into that of thickness, in place: a thicker interval shows more of itself, and less behind it."""
    behind = 0.0
    for i in range(intervals - 1, -1, -1):
        incoming = toward[i]
        toward[i] = kept[i] * (incoming * through[i + 1] - Single(behind))
        behind += incoming * weights[i]


@no_type_check
@compiled("nsz")
def _toward_densities(densities, distances, shown, intervals, toward):
    """Turns the gradient of thickness into that of the mean density of each interval, in place."""
    for i in range(intervals):
        length = (distances[i + 1] - distances[i]) * shown
        toward[i] *= logistic((densities[i + 1] + densities[i]) * HALF - ONE) * length


@no_type_check
@compiled(keep=True)
def composite_back(raw, distances, border, hit, known, image, begin, end, of_colors, of_depths, of_opacities, of_spreads, outgoing):
    """Writes the gradient of `raw` for the rays from `begin` to `end` of one image; `known` has no rays where no depth is known."""
    count = distances.shape[2]
    intervals = count - 1
    halves, order = np.empty(count, np.int64), np.empty(count, np.int64)
    sorted_distances, densities, through = np.empty(count, Single), np.empty(count, Single), np.empty(count, Single)
    weights, positions = np.empty(intervals, Single), np.empty(intervals, Single)
    kept, toward = np.ones(intervals, Single), np.empty(intervals, Single)
    kept_weights, kept_shares, toward_shares = np.empty(intervals, Single), np.empty(count, Single), np.empty(count, Single)
    for ray in range(begin, end):
        _arrange(distances[image, ray], border, halves, order)
        _see(raw[0, image, ray], distances[image, ray], hit[image, ray], order, sorted_distances, densities, through, weights)
        pixel = _locate(sorted_distances, weights, intervals, positions)
        if known.shape[1] > 0:
            _keep(positions, known[image, ray], intervals, kept)
        for i in range(intervals):
            kept_weights[i] = weights[i] * kept[i]
        _share(kept_weights, order, kept_shares)
        toward_shares[:] = ZERO
        for value in range(len(of_colors)):
            incoming, target = of_colors[value, image, ray], outgoing[value + 1, image, ray]
            if value < COLORS:
                _color_back(raw[value + 1, image, ray], kept_shares, incoming, toward_shares, target)
            else:
                _dot_back(raw[value + 1, image, ray], kept_shares, incoming, toward_shares, target)
        incoming = of_opacities[image, ray], of_depths[image, ray], of_spreads[image, ray]
        _toward_weights(toward_shares, order, positions, pixel, incoming, toward)
        _toward_thickness(toward, weights, through, kept, intervals)
        _toward_densities(densities, sorted_distances, hit[image, ray], intervals, toward)
        _share(toward, order, outgoing[0, image, ray])
