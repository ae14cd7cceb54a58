"""The names under which metrics that look through a network may appear."""

from typing import Literal

NetworkMetric = Literal["fd", "kid", "inception_score", "precision", "recall", "perceptual"]
LPIPS_NETWORK = "lpips-vgg16"

_PUBLISHED = {"fd": "FID", "kid": "KID", "inception_score": "IS"}
_SHORT = {"fd": "FD", "kid": "KID", "inception_score": "IS-like score"}


def metric_title(metric: NetworkMetric, extractor: str) -> str:
    """Returns a column's title: the published name for Inception and LPIPS, else one with its network, as in `FD(efficientnet-lite0)`.

    Precision and recall have been published with several networks, so they always carry theirs.
    """
    if metric == "perceptual" and extractor == LPIPS_NETWORK:
        return "LPIPS"
    if extractor == "inception-v3" and metric in _PUBLISHED:
        return _PUBLISHED[metric]
    return f"{_SHORT.get(metric, metric)}({extractor})"


def perceptual_key(network: str) -> Literal["lpips", "perceptual"]:
    """Returns what the distance seen by this network is called in records: `lpips` only for LPIPS itself."""
    return "lpips" if network == LPIPS_NETWORK else "perceptual"
