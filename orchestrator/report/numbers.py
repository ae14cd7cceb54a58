"""How numbers and intervals look on the page."""

from orchestrator.report.statistics import Interval

MISSING = "\u2014"
_MINUS = "\u2212"


def decimal(value: float | None, digits: int = 2) -> str:
    """Returns a number with fixed decimals and a true minus sign, or an em dash."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    return text.replace("-", _MINUS) if float(text) else text.lstrip("-")


def signed(value: float | None, digits: int = 2) -> str:
    """Returns a difference with its sign, or an em dash."""
    text = decimal(value, digits)
    return f"+{text}" if value is not None and float(f"{value:.{digits}f}") > 0 else text


def span(low: float | None, high: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Returns `[low, high]`, or an empty string if an end is unknown."""
    if low is None or high is None:
        return ""
    show = signed if sign else decimal
    return f"[{show(low, digits)}, {show(high, digits)}]"


def interval_text(interval: Interval | None, digits: int = 2, *, sign: bool = False) -> str:
    """Returns `mean [low, high]`, or an em dash."""
    if interval is None:
        return MISSING
    show = signed if sign else decimal
    return f"{show(interval.mean, digits)} {span(interval.low, interval.high, digits, sign=sign)}".strip()


def duration(seconds: float) -> str:
    """Returns a time as people say it: `42 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 10 else f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Returns `1 run` or `3 runs`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def title_case(name: str) -> str:
    """Returns a recipe's or stage's name for people: `pre_trained` becomes `pre-trained`."""
    return name.replace("_", "-")
