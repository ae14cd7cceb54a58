"""Differences with their intervals as inline SVG: one row each, a line at zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from orchestrator.report.numbers import interval_text, signed
from orchestrator.report.statistics import Interval
from orchestrator.report.svg import Axis

_LABELS, _RIGHT, _TOP, _BOTTOM, _ROW = 190, 12, 10, 38, 22
_FAR = 6


@dataclass(frozen=True)
class Difference:
    """A row of the chart: what is compared, its interval, and whether it may stand out."""

    label: str
    interval: Interval
    digits: int = 2


def interval_chart(rows: Sequence[Difference], *, title: str, x_label: str, width: int = 640) -> Markup:
    """Draws a dot and its interval for each row; returns an empty string for none. Rows that exclude zero stand out.

    A row that lies far beyond the others does not squeeze them: it stands at the chart's edge with its value as text.
    """
    ends = _ends_in_reach(rows)
    if not ends:
        return Markup("")
    margin = (max(0.0, *ends) - min(0.0, *ends)) * 0.06 or 1.0
    axis = Axis(min(0.0, *ends) - margin, max(0.0, *ends) + margin, _LABELS, width - _RIGHT)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    start = Markup('<svg class="chart intervals" viewBox="0 0 {} {}" style="max-width:{}px" role="img" aria-label="{}">')
    body = [_frame(axis, x_label, width, height), *(_row(row, axis, _TOP + _ROW * (index + 0.5)) for index, row in enumerate(rows))]
    return start.format(width, height, width, title) + Markup("").join(body) + Markup("</svg>")


def _ends_in_reach(rows: Sequence[Difference]) -> list[float]:
    """All ends and means, but those of rows further from zero than a few times what half of the rows reach."""
    ends = [[end for end in (row.interval.low, row.interval.mean, row.interval.high) if end is not None] for row in rows]
    reaches = [max(abs(end) for end in row) for row in ends]
    if not reaches:
        return []
    limit = _FAR * median(reaches) or max(reaches)
    return [end for row, reach in zip(ends, reaches, strict=True) if reach <= limit for end in row]


def _frame(axis: Axis, x_label: str, width: int, height: int) -> Markup:
    rule = Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>')
    text = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
    parts = []
    for tick in axis.ticks(6):
        bottom = height - _BOTTOM + 2
        parts.append(rule.format("zero" if tick == 0 else "grid", axis(tick), axis(tick), _TOP - 4, bottom))
        parts.append(text.format(axis(tick), bottom + 14, f"{tick:.3g}".replace("-", "\u2212")))
    name = Markup('<text class="name" x="{}" y="{}" text-anchor="end">{}</text>').format(width - _RIGHT, height - 5, x_label)
    return Markup("").join([*parts, name])


def _row(row: Difference, axis: Axis, y: float) -> Markup:
    interval = row.interval
    label = Markup('<text class="row" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(_LABELS - 10, y + 4, row.label)
    kind = "told" if interval.excludes_zero else "open"
    if not axis.low <= interval.mean <= axis.high:
        return label + _beyond(row, axis, y, kind)
    bar = Markup("")
    if interval.low is not None and interval.high is not None:
        line = Markup('<line class="mean {}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
        bar = line.format(kind, axis(max(interval.low, axis.low)), axis(min(interval.high, axis.high)), y, y)
    dot = Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}</title></circle>')
    return label + bar + dot.format(kind, axis(interval.mean), y, _said(row))


def _beyond(row: Difference, axis: Axis, y: float, kind: str) -> Markup:
    high = row.interval.mean > axis.high
    text = Markup('<text class="beyond {}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}<title>{}</title></text>')
    value = signed(row.interval.mean, row.digits)
    shown = f"{value} \u25b6" if high else f"\u25c0 {value}"
    return text.format(kind, axis.end if high else axis.start, y + 4, "end" if high else "start", shown, _said(row))


def _said(row: Difference) -> str:
    return f"{row.label}: {interval_text(row.interval, row.digits, sign=True)}"
