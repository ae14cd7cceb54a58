"""What Ray itself says about a launcher file: its schema, its defaults, and its own checks."""

import copy
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from g3dr.errors import did_you_mean
from orchestrator.cluster.checking.findings import Finding, wrong

_SHAPE = ("type", "required")
"""Kinds of faults after which nothing else can be said about a file."""

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def schema_findings(document: Mapping[str, Any]) -> tuple[list[Finding], bool]:
    """Returns what Ray's schema refuses, and whether the rest of the file can be understood all the same."""
    import jsonschema  # type: ignore[import-untyped]  # noqa: PLC0415  (which Ray brings)

    schema = json.loads(files("ray.autoscaler").joinpath("ray-schema.json").read_text(encoding="utf-8"))
    errors = sorted(jsonschema.Draft7Validator(schema).iter_errors(document), key=lambda error: [str(part) for part in error.absolute_path])
    findings = [finding for error in errors for finding in _translated(error)]
    return findings, not any(error.validator in _SHAPE for error in errors)


def _translated(error: Any) -> Iterator[Finding]:
    path = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        for key in sorted(set(error.instance) - set(known)):
            yield wrong(f"{path}.{key}" if path else key, key, "a key of Ray's cluster launcher", did_you_mean(key, known))
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                yield wrong(f"{path}.{key}" if path else key, None, "a value, which Ray requires here")
    elif error.validator == "type":
        yield wrong(path or "the file", error.instance, _TYPES.get(str(error.validator_value), str(error.validator_value)))
    elif error.validator == "minimum":
        yield wrong(path, error.instance, f"{error.validator_value} or more")
    else:
        yield wrong(path or "the file", error.instance, error.message)


def with_defaults(document: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[Finding]]:
    """Returns a launcher file as Ray uses it, with its defaults; or why Ray cannot.

    The commands are the file's own: Ray would put the common ones before those of the head and of the workers.
    """
    from ray.autoscaler._private.util import prepare_config  # noqa: PLC0415

    try:
        # Without what is copied: Ray would print a warning about each single file there, which matters to containers only.
        with _quietly():
            prepared: dict[str, Any] = prepare_config({**copy.deepcopy(dict(document)), "file_mounts": {}})
    except Exception as error:  # Ray raises whatever it likes
        return None, [_refused(error)]
    own = ("file_mounts", "head_setup_commands", "worker_setup_commands")
    return {**prepared, **{key: document[key] for key in own if key in document}}, []


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Ray's warnings about fields that it has put into an external provider's file itself."""
    logger = logging.getLogger("ray.autoscaler._private.util")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def ray_findings(config: Mapping[str, Any]) -> list[Finding]:
    """Returns what Ray's own check refuses in a file with its defaults; it stops at the first mistake."""
    from ray.autoscaler._private.util import validate_config  # noqa: PLC0415

    try:
        validate_config({key: value for key, value in config.items() if key != "head_node"})
    except Exception as error:  # Ray raises whatever it likes
        return [_refused(error)]
    return []


def _refused(error: Exception) -> Finding:
    return wrong("the file", type(error).__name__, "what Ray's own check accepts", _first_line(error))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
