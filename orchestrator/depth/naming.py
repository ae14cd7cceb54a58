"""What people call an estimator."""

from collections.abc import Mapping
from typing import Any

_SHOWN_DIGITS = 8

OWN_NETWORK = "g3dr-depth"
"""What `network` is called outside of this program."""


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


def full_name(identity: Mapping[str, Any]) -> str:
    """Returns the long name with our own network under its name, for readers who do not know this program's options."""
    return long_name(_spelled_out(identity))


def _spelled_out(identity: Mapping[str, Any]) -> Mapping[str, Any]:
    if identity.get("name") == "boosted":
        return {**identity, "of": _spelled_out(identity["of"])}
    return {**identity, "architecture": OWN_NETWORK} if identity.get("name") == "network" else identity
