"""Small line and dot charts as inline SVG. Colours come from the page's style sheet, so that they follow light and dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from orchestrator.report.numbers import decimal

STYLES = 8
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 8, 36
_NOTHING = Markup()


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        label: Spoken name.
        points: (x, y) in order.
        style: Index of its colour and dash; beyond `STYLES` they repeat.
        bold: Drawn stronger than the others.
        band: (x, low, high) in order, drawn faintly behind the curve: what several seeds span.
    """

    label: str
    points: Sequence[tuple[float, float]]
    style: int
    bold: bool = False
    band: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True)
class Axis:
    """Maps values to pixels, linearly or logarithmically."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Returns the pixel of a value."""
        position = _log_share(value, self.low, self.high) if self.logarithmic else (value - self.low) / (self.high - self.low)
        return self.start + position * (self.end - self.start)

    def ticks(self, count: int = 4) -> list[float]:
        """Returns round values inside the axis."""
        ticks = _powers(self.low, self.high) if self.logarithmic else _round_ticks(self.low, self.high, count)
        return ticks if len(ticks) >= 2 else _round_ticks(self.low, self.high, count)


def _log_share(value: float, low: float, high: float) -> float:
    return math.log(max(value, low) / low) / math.log(high / low)


def _powers(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [value for decade in decades for value in (10.0**decade, 3 * 10.0**decade) if low <= value <= high]


def _round_ticks(low: float, high: float, count: int) -> list[float]:
    rough = (high - low) / count
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * scale for factor in (1, 2, 2.5, 5, 10) if factor * scale >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def y_range(lines: Sequence[Line]) -> tuple[float, float, bool]:
    """Returns the lower end, the upper end and whether the axis is logarithmic: from a 20-fold range of positive values on."""
    values = [y for line in lines for _, y in line.points] + [y for line in lines for _, *ends in line.band for y in ends]
    low, high = min(values), max(values)
    if low > 0 and high / low > 20:
        return low / 1.15, high * 1.15, True
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return (max(0.0, low - margin) if low >= 0 else low - margin), high + margin, False


def line_chart(lines: Sequence[Line], *, title: str, x_label: str, width: int = 300, height: int = 190) -> Markup:
    """Draws curves over a common axis; curves without points are left out. Returns an empty string if nothing is left."""
    drawn = [line for line in lines if line.points]
    if not drawn:
        return Markup("")
    low, high, logarithmic = y_range(drawn)
    last = max(x for line in drawn for x, _ in line.points)
    x_axis = Axis(0.0, last or 1.0, _LEFT, width - _RIGHT)
    y_axis = Axis(low, high, height - _BOTTOM, _TOP, logarithmic)
    marks = [_band(line, x_axis, y_axis) for line in drawn if line.band] + [_curve(line, x_axis, y_axis) for line in drawn]
    body = [_grid(x_axis, y_axis, width, height), _name(x_label, width, height), _window(x_axis, y_axis, marks)]
    axes = Markup(' data-x="{}" data-y="{}"').format(_axis_text(x_axis), _axis_text(y_axis))
    return _figure(title, width, height, Markup("").join(body), axes)


def _figure(title: str, width: float, height: float, body: Markup, axes: Markup = _NOTHING) -> Markup:
    start = Markup('<svg class="chart" viewBox="0 0 {} {}" style="max-width:{}px" role="img" aria-label="{}"{}>')
    return start.format(width, height, width, title, axes) + body + Markup("</svg>")


def _axis_text(axis: Axis) -> str:
    # What charts.js needs to turn pixels into values again: ends, their pixels, and the kind of scale.
    return f"{axis.low:.6g} {axis.high:.6g} {axis.start:g} {axis.end:g} {'log' if axis.logarithmic else 'linear'}"


def _window(x_axis: Axis, y_axis: Axis, marks: Sequence[Markup]) -> Markup:
    # An inner picture in the same units, which cuts off what a zoom moves out; a stroke's width wider than the axes.
    box = f"{x_axis.start - 3:g} {y_axis.end - 3:g} {x_axis.end - x_axis.start + 6:g} {y_axis.start - y_axis.end + 6:g}"
    x, y, width, height = box.split()
    start = Markup('<svg class="marks" preserveAspectRatio="none" x="{}" y="{}" width="{}" height="{}" viewBox="{}">').format(
        x, y, width, height, box
    )
    return start + Markup("").join(marks) + Markup("</svg>")


def _grid(x_axis: Axis, y_axis: Axis, width: float, height: float) -> Markup:
    rule = Markup('<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
    text = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    parts = [Markup('<g class="ticks">')]
    for tick in y_axis.ticks():
        parts += [
            rule.format(_LEFT, width - _RIGHT, y_axis(tick), y_axis(tick)),
            text.format(_LEFT - 6, y_axis(tick) + 3.5, "end", _tick_text(tick)),
        ]
    parts += [text.format(x_axis(tick), height - _BOTTOM + 15, "middle", _tick_text(tick)) for tick in x_axis.ticks()]
    return Markup("").join([*parts, Markup("</g>")])


def _tick_text(value: float) -> str:
    text = f"{value:.4g}".replace("-", "\u2212")
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else text


def _name(x_label: str, width: float, height: float) -> Markup:
    return Markup('<text class="name" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>').format(width - _RIGHT, height - 5, x_label)


def _curve(line: Line, x_axis: Axis, y_axis: Axis) -> Markup:
    points = " ".join(f"{x_axis(x):.2f},{y_axis(y):.2f}" for x, y in line.points)
    bold = " bold" if line.bold else ""
    curve = Markup('<polyline class="curve s{}{}" points="{}"><title>{}</title></polyline>')
    return curve.format(line.style % STYLES, bold, points, line.label)


def _band(line: Line, x_axis: Axis, y_axis: Axis) -> Markup:
    upper = [f"{x_axis(x):.2f},{y_axis(high):.2f}" for x, _, high in line.band]
    lower = [f"{x_axis(x):.2f},{y_axis(low):.2f}" for x, low, _ in reversed(line.band)]
    return Markup('<polygon class="band s{}" points="{}"/>').format(line.style % STYLES, " ".join(upper + lower))


def dot_chart(
    groups: Sequence[tuple[str, Sequence[float]]],
    *,
    title: str,
    x_label: str,
    width: int = 640,
    row: int = 24,
    labels: int = 116,
    unit: str = "dB",
    digits: int = 2,
) -> Markup:
    """Draws one dot per value, one row per group, with a tick at each group's mean and a line at zero.

    Args:
        groups: Name and values.
        title: For those who hear the page.
        x_label: Name of the axis.
        width: Pixels.
        row: Height of a row, pixels.
        labels: Width that the names take, pixels.
        unit: Of a value, for the pointer that rests on a dot.
        digits: Decimals of a value there.
    """
    values = [value for _, members in groups for value in members]
    if not values:
        return Markup("")
    height = _TOP + row * len(groups) + _BOTTOM
    margin = (max(0.0, *values) - min(0.0, *values)) * 0.05 or 1.0
    axis = Axis(min(0.0, *values) - margin, max(0.0, *values) + margin, labels, width - _RIGHT)
    body = [_dot_frame(axis, x_label, width, height)]
    for index, (name, members) in enumerate(groups):
        told = [(value, f"{decimal(value, digits)} {unit}".strip()) for value in members]
        body.append(_dot_row(name, told, axis, _TOP + row * (index + 0.5), row))
    return _figure(title, width, height, Markup("").join(body))


def _dot_frame(axis: Axis, x_label: str, width: float, height: float) -> Markup:
    text = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>')
    rule = Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{:.1f}"/>')
    parts = []
    for tick in axis.ticks(6):
        kind = "zero" if tick == 0 else "grid"
        parts += [
            rule.format(kind, axis(tick), axis(tick), _TOP - 4, height - _BOTTOM + 2),
            text.format(axis(tick), height - _BOTTOM + 16, _tick_text(tick)),
        ]
    return Markup("").join([*parts, _name(x_label, width, height)])


def _dot_row(name: str, members: Sequence[tuple[float, str]], axis: Axis, y: float, row: float) -> Markup:
    label = Markup('<text class="row" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>').format(axis.start - 10, y + 4, name)
    dot = Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3.2"><title>{}</title></circle>')
    dots = Markup("").join(dot.format(axis(value), y, told) for value, told in members)
    mean = axis(sum(value for value, _ in members) / len(members))
    tick = Markup('<line class="mean" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
    return label + dots + tick.format(mean, mean, y - row * 0.4, y + row * 0.4)
