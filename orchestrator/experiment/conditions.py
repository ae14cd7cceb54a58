"""When an axis of a sweep exists: conditions on the values of other axes.

objective.clip.form: {choice: [l1, cosine], when: {objective.clip.weight: [0.5, 1.0]}}      one of these values
objective.clip.form: {choice: [l1, cosine], when: {objective.clip.weight: {above: 0}}}      more than this (or `below`, or both)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from orchestrator.experiment.problems import line_error, problem, raise_all

_BOUNDS = ("above", "below")
_ALLOWED = "a list of values, {above: number}, {below: number}, or both of these"

CONDITIONS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "description": "The axis exists where every other axis named here has one of these values, or lies above or below a number.",
    "additionalProperties": {
        "anyOf": [
            {"type": "array", "minItems": 1},
            {
                "type": "object",
                "properties": {bound: {"type": "number"} for bound in _BOUNDS},
                "minProperties": 1,
                "additionalProperties": False,
            },
        ]
    },
}


@dataclass(frozen=True)
class Among:
    """The other axis has one of these values."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Tells whether the condition holds for a value of the other axis."""
        return value in self.values

    def to_json(self) -> Any:
        """Returns the condition as a file would say it."""
        return list(self.values)


@dataclass(frozen=True)
class Between:
    """The other axis lies above and below these numbers, neither included; None for no bound."""

    above: float | None = None
    below: float | None = None

    def holds(self, value: Any) -> bool:
        """Tells whether the condition holds for a value of the other axis."""
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)

    def to_json(self) -> Any:
        """Returns the condition as a file would say it."""
        return {name: bound for name, bound in (("above", self.above), ("below", self.below)) if bound is not None}


Condition = Among | Between
Conditions = tuple[tuple[str, Condition], ...]


def holds(conditions: Conditions, assignment: Mapping[str, Any]) -> bool:
    """Tells whether all conditions hold; one on an axis that does not exist itself does not."""
    return all(path in assignment and condition.holds(assignment[path]) for path, condition in conditions)


def parse_conditions(value: Any) -> Conditions:
    """Returns what a file says after `when:`; errors are pydantic's, all at once."""
    if not isinstance(value, Mapping) or not value:
        raise problem(value, "a mapping from other axes to their values, such as {objective.clip.weight: {above: 0}}")
    found: list[tuple[str, Condition]] = []
    faults = []
    for path, said in value.items():
        try:
            found.append((str(path), _condition(said)))
        except PydanticCustomError as error:
            faults.append(line_error(["when", str(path)], said, error))
    raise_all("when", faults)
    return tuple(found)


def _condition(said: Any) -> Condition:
    if isinstance(said, list | tuple) and said:
        return Among(tuple(tuple(item) if isinstance(item, list) else item for item in said))
    if not isinstance(said, Mapping) or not said or not set(said) <= set(_BOUNDS) or not all(_is_number(end) for end in said.values()):
        raise problem(said, _ALLOWED)
    return Between(said.get("above"), said.get("below"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
