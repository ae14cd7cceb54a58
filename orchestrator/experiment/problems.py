"""Every problem of an experiment file at once, each as one sentence with its dotted path."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from g3dr.errors import ConfigError, G3drError, did_you_mean

PROBLEM = "g3dr_problem"
"""Pydantic error type of problems that already know what is allowed."""

KINDS = ("train", "sweep", "grid", "evaluate", "timing", "network")
"""Kinds of stages."""

_LONGEST_SHOWN = 60

_ALLOWED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "missing": "a value, which is required here",
}
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_BOUND_WORDS = {"gt": "more than {}", "ge": "{} or more", "lt": "less than {}", "le": "{} or less"}


class ExperimentError(G3drError):
    """An experiment file that cannot be used.

    Args:
        source: The file, for the message.
        problems: All that was found.
    """

    def __init__(self, source: str, problems: Sequence[ConfigError]) -> None:
        self.source, self.problems = source, tuple(problems)
        lines = [str(problem) for problem in problems]
        message = (
            f"{source}: {lines[0]}"
            if len(lines) == 1
            else "\n".join([f"{source}: {len(lines)} problems", *(f"  {line}" for line in lines)])
        )
        super().__init__(message)


def problem(got: object, allowed: str, hint: str = "") -> PydanticCustomError:
    """Returns a pydantic error that says what is allowed."""
    return PydanticCustomError(PROBLEM, "{allowed}", {"allowed": allowed, "hint": hint, "got": got})


def unknown_name(got: str, allowed: Iterable[str]) -> PydanticCustomError:
    """Returns the error for a name that is not among `allowed`, with a guess at what was meant."""
    names = [str(name) for name in allowed]
    return problem(got, f"one of {', '.join(names)}" if names else "nothing, as there are none", did_you_mean(got, names))


def line_error(location: Sequence[int | str], got: object, error: PydanticCustomError) -> InitErrorDetails:
    """Returns one entry for `raise_all`."""
    return InitErrorDetails(type=error, loc=tuple(location), input=got)


def raise_all(title: str, errors: Sequence[InitErrorDetails]) -> None:
    """Raises all `errors` as one pydantic error, if there are any."""
    if errors:
        raise ValidationError.from_exception_data(title, list(errors))


def as_problems(error: ValidationError, known: Mapping[str, Any]) -> list[InitErrorDetails]:
    """Turns pydantic's errors of one mapping into ours; `known` are the mapping's keys (for unknown ones at its first level)."""
    entries = error.errors(include_url=False)
    return [
        line_error(_location(entry), entry["input"], _translate(entry, known)) for entry in entries if not _is_consequence(entry, entries)
    ]


def _location(entry: ErrorDetails) -> tuple[int | str, ...]:
    return (*entry["loc"], "kind") if entry["type"].startswith("union_tag") else entry["loc"]


def _is_consequence(entry: ErrorDetails, entries: Sequence[ErrorDetails]) -> bool:
    """A list is also too short for pydantic when one of its members is at fault."""
    place = entry["loc"]
    return entry["type"] == "too_short" and any(len(other["loc"]) > len(place) and other["loc"][: len(place)] == place for other in entries)


def _translate(entry: ErrorDetails, known: Iterable[str]) -> PydanticCustomError:
    context = entry.get("ctx", {})
    if entry["type"] == PROBLEM:
        return problem(context["got"], context["allowed"], context["hint"])
    if entry["type"] == "extra_forbidden" and len(entry["loc"]) == 1:
        return unknown_name(str(entry["loc"][0]), known)
    got = None if entry["type"] == "missing" else entry["input"]
    if entry["type"].startswith("union_tag"):
        got = str(context["tag"]).strip("<>") if "tag" in context else None
    return problem(got, _allowed(entry, context), _hint(entry, context))


def _allowed(entry: ErrorDetails, context: Mapping[str, Any]) -> str:
    kind = entry["type"]
    if kind in _ALLOWED:
        return _ALLOWED[kind]
    if kind in _BOUNDS:
        bound = _BOUNDS[kind]
        return _BOUND_WORDS[bound].format(context[bound])
    if kind.startswith("union_tag"):
        return ", ".join(KINDS)
    if kind == "literal_error":
        return ", ".join(_quoted(context))
    if kind == "too_short":
        return f"{context['min_length']} or more entries"
    return entry["msg"][:1].lower() + entry["msg"][1:]


def _quoted(context: Mapping[str, Any]) -> list[str]:
    text = str(context.get("expected", ""))
    return re.findall(r"'([^']*)'", text) or [text]


def _hint(entry: ErrorDetails, context: Mapping[str, Any]) -> str:
    if entry["type"] == "union_tag_invalid":
        return did_you_mean(str(context["tag"]), KINDS)
    return did_you_mean(str(entry["input"]), _quoted(context)) if entry["type"] == "literal_error" else ""


def collect(error: ValidationError, document: Any) -> list[ConfigError]:
    """Returns one ConfigError per problem, its path as a person would write it in `--set`."""
    problems = []
    for entry in error.errors(include_url=False):
        translated = _translate(entry, ())
        context = translated.context or {}
        problems.append(ConfigError(_path(_location(entry), document), _shown(context["got"]), context["allowed"], context["hint"]))
    return problems


class _Shortened(str):
    """A value too long for a sentence."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _shown(got: object) -> object:
    return _Shortened(repr(got)[:_LONGEST_SHOWN] + "...") if len(repr(got)) > _LONGEST_SHOWN else got


def _path(location: Sequence[int | str], document: Any) -> str:
    """Drops the tags of unions, which are in no file, and names the members of lists."""
    parts, node = [], document
    for position, part in enumerate(location):
        inside = _child(node, part)
        is_tag = inside is None and isinstance(part, str) and part.startswith("<")
        if is_tag or (inside is None and position < len(location) - 1 and _child(node, location[position + 1]) is not None):
            continue
        parts.append(str(inside.get("name", part)) if isinstance(node, list) and isinstance(inside, Mapping) else str(part))
        node = inside
    return ".".join(parts) or "the file"


def _child(node: Any, part: int | str) -> Any:
    if isinstance(node, Mapping):
        return node.get(part)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return None
