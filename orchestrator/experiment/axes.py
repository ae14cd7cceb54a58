"""The axes of a sweep: what values a setting takes.

objective.rgb.form: [l1, cosine]                  these values
training.learning_rate: {log_uniform: [1e-4, 1e-2]}
objective.depth.weight: {uniform: [0.5, 4]}
training.batch_size: {integer: [2, 16]}           whole numbers, both ends included
objective.clip.form: {choice: [l1, cosine], when: {objective.clip.weight: {above: 0}}}     only where the condition holds
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.experiment.conditions import CONDITIONS_SCHEMA, Conditions, parse_conditions
from orchestrator.experiment.problems import problem

RangeKind = Literal["uniform", "log_uniform", "integer"]
_RANGES: tuple[RangeKind, ...] = ("uniform", "log_uniform", "integer")
_ALLOWED = f"a list of values, or one of {', '.join((*_RANGES, 'choice'))} with a list, and perhaps `when`"

AXIS_SCHEMA: dict[str, Any] = {
    "description": "A list of values, or a range such as {log_uniform: [1e-4, 1e-2]}.",
    "anyOf": [
        {"type": "array", "minItems": 1},
        {
            "type": "object",
            "properties": {"choice": {"type": "array", "minItems": 1}, "when": CONDITIONS_SCHEMA},
            "required": ["choice"],
            "additionalProperties": False,
        },
        *(
            {
                "type": "object",
                "properties": {
                    kind: {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
                    "when": CONDITIONS_SCHEMA,
                },
                "required": [kind],
                "additionalProperties": False,
            }
            for kind in _RANGES
        ),
    ],
}


@dataclass(frozen=True)
class Choice:
    """One of these values, where the conditions hold."""

    values: tuple[Any, ...]
    when: Conditions = ()

    @property
    def probes(self) -> tuple[Any, ...]:
        """Values that must all be allowed."""
        return self.values


@dataclass(frozen=True)
class Range:
    """A number between two ends, evenly, evenly in its logarithm, or whole numbers with both ends; where the conditions hold."""

    kind: RangeKind
    low: float
    high: float
    when: Conditions = ()

    @property
    def probes(self) -> tuple[float, ...]:
        """Values that must all be allowed: whatever lies between is then allowed too."""
        return (self.low, self.high)


Axis = Choice | Range


def parse_axis(value: Any) -> Axis:
    """Returns the axis that a file's value means; errors are pydantic's."""
    if isinstance(value, Choice | Range):
        return value
    if isinstance(value, list | tuple):
        return _choice(value, ())
    kinds = set(value) - {"when"} if isinstance(value, Mapping) else set()
    if len(kinds) == 1 and kinds <= {*_RANGES, "choice"}:
        kind = kinds.pop()
        when = parse_conditions(value["when"]) if "when" in value else ()
        return _choice(value[kind], when) if kind == "choice" else _range(kind, value[kind], when)
    raise problem(value, _ALLOWED)


def _choice(values: Any, when: Conditions) -> Choice:
    if not isinstance(values, list | tuple) or not values:
        raise problem(values, "a list of one value or more")
    return Choice(tuple(tuple(item) if isinstance(item, list) else item for item in values), when)


def _range(kind: RangeKind, ends: Any, when: Conditions) -> Range:
    number = int if kind == "integer" else int | float
    is_pair = isinstance(ends, list | tuple) and len(ends) == 2
    if not is_pair or not all(isinstance(end, number) and not isinstance(end, bool) for end in ends) or not ends[0] < ends[1]:
        raise problem(ends, f"two {'whole ' if kind == 'integer' else ''}numbers, the smaller first")
    if kind == "log_uniform" and ends[0] <= 0:
        raise problem(ends, "two numbers above 0, the smaller first")
    low, high = ends if kind == "integer" else map(float, ends)
    return Range(kind, low, high, when)


def axis_to_json(axis: Axis) -> Any:
    """Returns the axis as a file would say it."""
    values = list(axis.values) if isinstance(axis, Choice) else [axis.low, axis.high]
    if isinstance(axis, Choice) and not axis.when:
        return values
    when = {"when": {path: condition.to_json() for path, condition in axis.when}} if axis.when else {}
    return {"choice" if isinstance(axis, Choice) else axis.kind: values, **when}
