"""What people call an estimator."""

from collections.abc import Mapping
from typing import Any

_SHOWN_DIGITS = 8


def short_name(identity: Mapping[str, Any]) -> str:
    """Returns a word or two for a small label, such as `network`, `depth_anything` or `network, boosted`."""
    if identity.get("name") == "boosted":
        return f"{short_name(identity['of'])}, boosted"
    return str(identity.get("architecture") or identity.get("name"))


def long_name(identity: Mapping[str, Any]) -> str:
    """Returns the same with the first digits of the weights' fingerprint, where there is one."""
    inner = identity["of"] if identity.get("name") == "boosted" else identity
    weights = str(inner.get("weights", ""))[:_SHOWN_DIGITS]
    return short_name(identity) + (f" (weights {weights})" if weights else "")
