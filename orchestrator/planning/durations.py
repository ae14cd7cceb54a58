"""Spans of time: measured as low and high, said as a person would, and read from what a person types."""

import re
from dataclasses import dataclass

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Span:
    """Between `low` and `high`, seconds or money: nobody knows better.

    Attributes:
        low: The least that is likely.
        high: The most that is likely.
    """

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: "Span") -> "Span":
        return Span(self.low + other.low, self.high + other.high)

    @property
    def middle(self) -> float:
        """Halfway between the ends."""
        return (self.low + self.high) / 2

    def times(self, factor: float) -> "Span":
        """Returns both ends multiplied."""
        return Span(self.low * factor, self.high * factor)

    def to_json(self) -> dict[str, float]:
        """Returns both ends."""
        return {"low": round(self.low, 6), "high": round(self.high, 6)}


def total(spans: list[Span]) -> Span:
    """Returns the sum."""
    return sum(spans, Span())


def in_words(seconds: float) -> str:
    """Returns a duration such as `50 s`, `12 min`, `3.5 h` or `4 d`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    number, unit = (seconds / 3600, "h") if seconds < 48 * 3600 else (seconds / 86400, "d")
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:,.0f} {unit}"


def span_in_words(span: Span) -> str:
    """Returns `8 to 12 min`, with the unit said once where both ends have the same."""
    low, high = in_words(span.low), in_words(span.high)
    if low == high:
        return high
    number, _, unit = low.partition(" ")
    return f"{number} to {high}" if high.endswith(f" {unit}") else f"{low} to {high}"


def parse_seconds(text: str) -> float | None:
    """Returns the seconds that `90 s`, `30 min`, `2 h` or `1.5 d` mean; None for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*", text)
    return float(found[1]) * _SECONDS[found[2]] if found else None
