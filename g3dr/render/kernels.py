# ruff: noqa: PLR0917, RUF100 (compiled loops take arrays and numbers one by one)
"""The decoder at samples as machine code for a CPU: lookup, softplus and second layer in one pass, and the way back.

Numba compiles these loops at their first call and keeps the result on disk. A block of samples goes through all steps while its
hidden layer lies in the first-level cache. They follow `decoding.py`, which is the stock form of the same mathematics; only
`compiled.py` calls them. Numba is optional: nothing else may import this file.

Shapes: rows and what is summed into rows [image, node * channel]; coordinates [axis, image, sample]; second layer [value, channel]
with values filled up to a multiple of `LANES`; raw [value, image, sample]; `width` is the number of channels.
"""

from typing import no_type_check

import numpy as np

from g3dr.render.kernel_math import ONE, ZERO, Index, Single, compiled, exp_of_minus, log_of_one_plus, softplus
from g3dr.render.table import BORDER_NODES

MATH = "c05321ea7c00f0de"  # the digest of kernel_math.py
BLOCK = 64  # samples whose hidden values stay in the first-level cache
LANES = 4  # values that are summed at once
CORNERS = 4


@no_type_check
@compiled("nsz")
def _softplus(hidden, count):
    """Applies softplus in place: max(x, 0) + log(1 + exp(-|x|)), which neither overflows nor cancels."""
    for i in range(Index(count)):
        hidden[i] = softplus(hidden[i])


@no_type_check
@compiled("nsz")
def _softplus_and_slope(hidden, slope, count):
    """Applies softplus in place and writes its derivative, the logistic function."""
    for i in range(Index(count)):
        x = hidden[i]
        t = exp_of_minus(abs(x))
        hidden[i] = max(x, ZERO) + log_of_one_plus(t)
        slope[i] = (ONE if x > ZERO else t) / (ONE + t)


@no_type_check
@compiled()
def _locate(columns, lines, plane, side, start, count, nodes, weights):
    """Writes the upper left node of each sample on one plane, and the weights of the cell's corners: as `lookup.locate`."""
    half, highest, last = Single((side - 1) / 2), Single(side - 1), Single(side - 2)
    reach = half - Single(BORDER_NODES)
    first = np.int32(plane * side * side)
    for k in range(count):
        x = min(max(columns[start + k] * reach + half, ZERO), highest)
        y = min(max(lines[start + k] * reach + half, ZERO), highest)
        # What is no number compares as false: it stays one in the weights, and its node is 0.
        column, line = np.floor(x), np.floor(y)
        column = (column if column < last else last) if column > ZERO else ZERO
        line = (line if line < last else last) if line > ZERO else ZERO
        nodes[k] = first + np.int32(line) * np.int32(side) + np.int32(column)
        right, down = x - column, y - line
        weights[0, k] = (ONE - down) * (ONE - right)
        weights[1, k] = (ONE - down) * right
        weights[2, k] = down * (ONE - right)
        weights[3, k] = down * right


@no_type_check
@compiled()
def _add_rows(rows, width, side, count, nodes, weights, hidden):
    """Adds each sample's four rows of one plane to its hidden layer."""
    channels = Index(width)
    for k in range(Index(count)):
        a = Index(nodes[k]) * channels
        c = a + Index(side) * channels
        b, d, h = a + channels, c + channels, k * channels
        wa, wb, wc, wd = weights[0, k], weights[1, k], weights[2, k], weights[3, k]
        for i in range(channels):
            hidden[h + i] += wa * rows[a + i] + wb * rows[b + i] + wc * rows[c + i] + wd * rows[d + i]


@no_type_check
@compiled()
def _look_up(rows, width, coordinates, image, pairs, side, start, count, nodes, weights, hidden):
    """Writes the first layer's output of a block of samples."""
    hidden[: width * count] = ZERO
    for plane in range(len(pairs)):
        columns, lines = coordinates[pairs[plane, 0], image], coordinates[pairs[plane, 1], image]
        _locate(columns, lines, plane, side, start, count, nodes, weights)
        _add_rows(rows[image], width, side, count, nodes, weights, hidden)


@no_type_check
@compiled("reassoc", "nsz")
def _second_layer(hidden, width, weight, bias, start, count, raw, image):
    """Writes the second layer's output of a block of samples, `LANES` values at a time."""
    channels = Index(width)
    for first in range(0, len(weight), LANES):
        wa, wb, wc, wd = weight[first], weight[first + 1], weight[first + 2], weight[first + 3]
        for k in range(count):
            h = Index(k) * channels
            a = b = c = d = ZERO
            for i in range(channels):
                x = hidden[h + i]
                a += wa[i] * x
                b += wb[i] * x
                c += wc[i] * x
                d += wd[i] * x
            raw[first, image, start + k] = a + bias[first]
            raw[first + 1, image, start + k] = b + bias[first + 1]
            raw[first + 2, image, start + k] = c + bias[first + 2]
            raw[first + 3, image, start + k] = d + bias[first + 3]


@no_type_check
@compiled(keep=True)
def evaluate(rows, width, weight, bias, coordinates, pairs, side, image, begin, end, raw):
    """Writes the decoder's output before its last activation for the samples `begin` to `end` of one image."""
    hidden = np.empty(BLOCK * width, Single)
    nodes, weights = np.empty(BLOCK, np.int32), np.empty((CORNERS, BLOCK), Single)
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        _look_up(rows, width, coordinates, image, pairs, side, start, count, nodes, weights, hidden)
        _softplus(hidden, Index(count) * Index(width))
        _second_layer(hidden, width, weight, bias, start, count, raw, image)


@no_type_check
@compiled("nsz")
def _through_second_layer(hidden, slope, width, weight, gradient, image, start, count, outgoing, offset, weight_gradient):
    """Writes the gradient before the softplus, and adds that of the second layer's weight."""
    channels = Index(width)
    for first in range(0, len(weight), LANES):
        wa, wb, wc, wd = weight[first], weight[first + 1], weight[first + 2], weight[first + 3]
        ga, gb, gc, gd = weight_gradient[first], weight_gradient[first + 1], weight_gradient[first + 2], weight_gradient[first + 3]
        for k in range(count):
            h, o = Index(k) * channels, Index(offset + k) * channels
            a, b = gradient[first, image, start + k], gradient[first + 1, image, start + k]
            c, d = gradient[first + 2, image, start + k], gradient[first + 3, image, start + k]
            for i in range(channels):
                outgoing[o + i] += (a * wa[i] + b * wb[i] + c * wc[i] + d * wd[i]) * slope[h + i]
            for i in range(channels):
                x = hidden[h + i]
                ga[i] += a * x
                gb[i] += b * x
                gc[i] += c * x
                gd[i] += d * x


@no_type_check
@compiled(keep=True)
def hidden_gradient(rows, width, weight, coordinates, pairs, side, image, begin, end, gradient, outgoing, offset, weight_gradient):
    """Computes the hidden layer again, for its gradient: sample `begin` stands at `offset` of `outgoing`."""
    channels = width
    hidden, slope = np.empty(BLOCK * channels, Single), np.empty(BLOCK * channels, Single)
    nodes, weights = np.empty(BLOCK, np.int32), np.empty((CORNERS, BLOCK), Single)
    outgoing[offset * channels : (offset + end - begin) * channels] = ZERO
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        _look_up(rows, width, coordinates, image, pairs, side, start, count, nodes, weights, hidden)
        _softplus_and_slope(hidden, slope, count * channels)
        place = offset + start - begin
        _through_second_layer(hidden, slope, width, weight, gradient, image, start, count, outgoing, place, weight_gradient)


@no_type_check
@compiled()
def _spread(total, width, part, side, nodes, weights, count, outgoing, offset):
    """Adds a block's gradients to the rows of one plane, channel group by channel group."""
    channels, first, length = Index(width), Index(part[0]), Index(part[1] - part[0])
    for k in range(Index(count)):
        source = (Index(offset) + k) * channels + first
        for corner in range(Index(CORNERS)):
            node = Index(nodes[k]) + (corner & Index(1)) + (corner >> Index(1)) * Index(side)
            target, share = node * channels + first, weights[corner, k]
            for i in range(length):
                total[target + i] += share * outgoing[source + i]


@no_type_check
@compiled(keep=True)
def add_to_rows(total, width, part, coordinates, pairs, side, plane, image, begin, end, outgoing):
    """Adds the gradients of samples to the rows of one plane, in the order of the samples.

    Only the channels from `part[0]` to `part[1]` are touched, so that threads need not wait for each other.
    """
    nodes, weights = np.empty(BLOCK, np.int32), np.empty((CORNERS, BLOCK), Single)
    columns, lines = coordinates[pairs[plane, 0], image], coordinates[pairs[plane, 1], image]
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        _locate(columns, lines, plane, side, start, count, nodes, weights)
        _spread(total[image], width, part, side, nodes, weights, count, outgoing, start - begin)
