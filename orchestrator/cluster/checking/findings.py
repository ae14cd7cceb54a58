"""What a check finds: a sentence with the place, and whether it stands in the way."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from g3dr.errors import ConfigError

PLACEHOLDER = "FILL_IN"
"""How a value begins that the user has to fill in."""

HIDDEN = "something secret"
"""What stands in a sentence instead of a secret."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or probably not meant.

    Attributes:
        problem: Dotted path, what stands there, what is allowed.
        is_wrong: Whether the file cannot be used because of it; else it is only a warning.
    """

    problem: ConfigError
    is_wrong: bool = True


def wrong(path: str, got: object, allowed: str, hint: str = "") -> Finding:
    """Returns a finding that stands in the way."""
    return Finding(ConfigError(path, got, allowed, hint))


def doubtful(path: str, got: object, allowed: str, hint: str = "") -> Finding:
    """Returns a warning."""
    return Finding(ConfigError(path, got, allowed, hint), is_wrong=False)


def is_placeholder(value: object) -> bool:
    """Tells whether a value is still to be filled in."""
    return isinstance(value, str) and value.startswith(PLACEHOLDER)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields everything in nested mappings and lists that is neither, with its dotted path."""
    if isinstance(value, Mapping):
        children: Iterable[tuple[object, Any]] = value.items()
    elif isinstance(value, list | tuple):
        children = enumerate(value)
    else:
        yield path, value
        return
    for key, child in children:
        yield from leaves(child, f"{path}.{key}" if path else str(key))


def unfilled(document: Any) -> Iterator[Finding]:
    """Yields one finding for each placeholder, at the first place where it stands."""
    seen = set()
    for path, value in leaves(document):
        for name in _PLACEHOLDERS.findall(value) if isinstance(value, str) else ():
            if name not in seen:
                seen.add(name)
                yield wrong(path, name, _WANTED.get(name, "a value of yours"))


_PLACEHOLDERS = re.compile(rf"{PLACEHOLDER}_\w+")
_WANTED = {
    "FILL_IN_REGION": "an AWS region such as eu-central-1",
    "FILL_IN_MACHINE_IMAGE": "the id of an Ubuntu image of your region, ami-...",
    "FILL_IN_GPU_MACHINE_IMAGE": "the id of an Ubuntu image of your region with NVIDIA's driver, ami-...",
    "FILL_IN_SECURITY_GROUP": "the id of your security group, sg-..., as the stack of docs/clusters/aws.yaml prints it",
    "FILL_IN_IMAGE": "a container image of yours with a tag or digest, made by docs/clusters/Dockerfile",
    "FILL_IN_BUCKET": "the name of your bucket",
}
