"""Amounts of storage as people write them."""

import re

_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_BY_WORD = {name.lower(): factor for name, factor in _UNITS.items()}
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")

ALLOWED = "an amount of storage, such as 500 MB, 20 GB or 1.5 TB"


def parse_bytes(text: str) -> int:
    """Returns the bytes that `20 GB` or `1.5TiB` means.

    Raises:
        ValueError: It is no amount of storage; the message says what is allowed.
    """
    found = _FORM.fullmatch(text)
    factor = _BY_WORD.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise ValueError(ALLOWED)
    return round(float(found[1]) * factor)


def format_bytes(count: float) -> str:
    """Returns an amount in the largest unit of which it has one: `812 B`, `3.4 MB`, `1.2 TB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
