"""The names under which distribution metrics may appear."""

from typing import Literal

_PUBLISHED = {"fd": "FID", "kid": "KID", "inception_score": "IS"}
_SHORT = {"fd": "FD", "kid": "KID", "inception_score": "IS-like score"}


def metric_title(metric: Literal["fd", "kid", "inception_score"], extractor: str) -> str:
    """Returns a column's title: the published name for Inception, else one with its extractor, as in `FD(efficientnet-lite0)`."""
    return _PUBLISHED[metric] if extractor == "inception-v3" else f"{_SHORT[metric]}({extractor})"
