"""Ids that follow from content: equal values have equal ids, whoever computes them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

ID_LENGTH = 16


def _number(value: Any) -> Any:
    """2.0 and 2 are one number, a tuple and a list one list."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, Mapping):
        return {key: _number(item) for key, item in value.items()}
    return [_number(item) for item in value] if isinstance(value, list | tuple) else value


def canonical_text(value: Any) -> str:
    """Returns JSON that is the same for equal values: keys sorted, no spaces."""
    return json.dumps(_number(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    """Returns the first 16 hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


def content_id(value: Any) -> str:
    """Returns the first 16 hex digits of the SHA-256 of a JSON value with sorted keys."""
    return digest(canonical_text(value))
