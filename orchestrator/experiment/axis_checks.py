"""Checks of a sweep's axes: that they lead to settings, that each value is allowed, that conditions can hold, and what cannot vary."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from orchestrator.experiment.axes import Axis, Choice, Range, parse_axis
from orchestrator.experiment.conditions import Among, Between, Condition
from orchestrator.experiment.merging import Document, nested
from orchestrator.experiment.problems import line_error, problem, unknown_name

SWEPT = ("model", "objective", "training", "species", "seed")
"""What an axis may lead to: a setting of one of the first three, or one of the last two themselves."""

SHAPE = (
    "model.generator.resolution",
    "model.generator.width",
    "model.generator.multipliers",
    "model.generator.position_channels",
    "model.generator.features",
    "model.generator.attention",
    "model.renderer.decoder_width",
    "model.renderer.layout",
)
"""Settings that a checkpoint decides for whoever starts from it."""

CheckChanges = Callable[[Document], list[InitErrorDetails]]
"""Returns the problems of changes that are laid over a stage's settings."""


def problems_of_axes(stage: Mapping[str, Any], check: CheckChanges) -> list[InitErrorDetails]:
    """Returns the problems of a sweep's axes, with the place of each; what is wrong with an axis' own form is not among them.

    Args:
        stage: The sweep as the file says it.
        check: Checks one value of an axis.
    """
    said = stage.get("axes")
    if not isinstance(said, Mapping):
        return []
    axes = {str(path): axis for path, value in said.items() if (axis := _parsed(value)) is not None}
    search = stage.get("search")
    algorithm = search.get("algorithm", "grid") if isinstance(search, Mapping) else "grid"
    return [
        *_problems_of_ranges(axes, algorithm),
        *(entry for path in said for entry in _problems_of_path(str(path), axes.get(str(path)), check)),
        *(entry for path, axis in axes.items() for entry in _problems_of_conditions(path, axis, axes, [str(path) for path in said])),
        *_problems_of_shape(axes, stage.get("from"), algorithm),
        *_problems_of_seeds(axes, stage.get("seeds"), algorithm),
    ]


def _parsed(value: Any) -> Axis | None:
    try:
        return parse_axis(value)
    except (PydanticCustomError, ValidationError):
        return None  # the field itself reports it


def _at(path: str, *rest: str, got: Any, error: PydanticCustomError) -> InitErrorDetails:
    return line_error(("axes", path, *rest), got, error)


# values


def _problems_of_path(path: str, axis: Axis | None, check: CheckChanges) -> list[InitErrorDetails]:
    head, dot, _ = path.partition(".")
    if head not in SWEPT or not all(path.split(".")):
        return [_at(path, got=path, error=unknown_name(path, SWEPT))]
    if head in ("species", "seed") and dot:
        return [_at(path, got=path, error=problem(path, head, f"{head} has no settings"))]
    if axis is None:
        return []
    if head == "species":
        return _problems_of_species(axis)
    found = [entry for probe in axis.probes for entry in check(nested(path, probe))]
    unique = {str((entry["loc"], entry["input"])): entry for entry in found}.values()
    return [_at(path, got=entry["input"], error=_custom(entry)) for entry in unique]


def _custom(entry: InitErrorDetails) -> PydanticCustomError:
    kind = entry["type"]
    return kind if isinstance(kind, PydanticCustomError) else problem(entry["input"], kind)


def _problems_of_species(axis: Axis) -> list[InitErrorDetails]:
    wrong = [value for value in axis.probes if isinstance(axis, Range) or not _is_species(value)]
    return [_at("species", got=value, error=problem(value, "names of species, lists of names, or all")) for value in wrong[:1]]


def _is_species(value: Any) -> bool:
    names = value if isinstance(value, tuple) else (value,)
    return bool(names) and all(isinstance(name, str) for name in names)


# conditions


def _problems_of_conditions(path: str, axis: Axis, axes: Mapping[str, Axis], known: list[str]) -> Iterator[InitErrorDetails]:
    for other, condition in axis.when:
        if other not in known:
            yield _at(path, "when", other, got=other, error=unknown_name(other, [name for name in known if name != path]))
        elif path in _ancestors(other, axes):
            yield _at(path, "when", other, got=other, error=problem(other, "an axis that does not depend on this one in turn"))
        elif other in axes:
            yield from _problems_of_condition(path, other, condition, axes[other])


def _ancestors(path: str, axes: Mapping[str, Axis]) -> set[str]:
    """The axis, all that its condition looks at, all that theirs look at, and so on."""
    found, rest = set[str](), [path]
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest += [other for other, _ in axes[name].when] if name in axes else []
    return found


def _problems_of_condition(path: str, other: str, condition: Condition, axis: Axis) -> Iterator[InitErrorDetails]:
    if isinstance(condition, Among) and isinstance(axis, Choice):
        for value in condition.values:
            if value not in axis.values:
                yield _at(path, "when", other, got=value, error=unknown_name(str(value), [str(known) for known in axis.values]))
    elif isinstance(condition, Among):
        hint = f"{other} is a range, in which a single value is never met"
        yield _at(path, "when", other, got=list(condition.values), error=problem(condition.to_json(), "{above: ...} or {below: ...}", hint))
    elif not _can_hold(condition, axis):
        allowed = f"a condition that {'some value' if isinstance(axis, Choice) else 'a part'} of {other} meets"
        yield _at(path, "when", other, got=condition.to_json(), error=problem(condition.to_json(), allowed))


def _can_hold(condition: Between, axis: Axis) -> bool:
    if isinstance(axis, Choice):
        return any(_is_number(value) and condition.holds(value) for value in axis.values)
    above, below = condition.above, condition.below
    return (above is None or above < axis.high) and (below is None or below > axis.low) and (None in (above, below) or above < below)  # type: ignore[operator]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# what an algorithm or an origin does not allow


def _problems_of_ranges(axes: Mapping[str, Axis], algorithm: Any) -> list[InitErrorDetails]:
    allowed, hint = "a list of values, as every axis of a grid", "use random or optuna for ranges"
    ranges = [path for path, axis in axes.items() if isinstance(axis, Range)] if algorithm == "grid" else []
    return [_at(path, got=path, error=problem(path, allowed, hint)) for path in ranges]


def _problems_of_shape(axes: Mapping[str, Axis], origin: Any, algorithm: Any) -> list[InitErrorDetails]:
    """Weights fit one shape of the network: that of the checkpoint, and in a population that of all members."""
    population = algorithm == "population"
    if not isinstance(origin, str) and not population:
        return []
    fixed = (*SHAPE, "model.conditioning") if population else SHAPE
    whose = "the members of a population, who take over each other's weights" if population else f"the checkpoint it starts from ({origin})"
    return [
        _at(path, got=path, error=problem(path, f"no axis that changes the shape of {whose}"))
        for path, axis in axes.items()
        if any(_touches(leaf, fixed) for probe in axis.probes for leaf in _leaves(nested(path, probe)))
    ]


def _touches(path: str, fixed: tuple[str, ...]) -> bool:
    return any(path == other or path.startswith(f"{other}.") for other in fixed)


def _leaves(document: Any, path: str = "") -> Iterator[str]:
    if not isinstance(document, Mapping):
        yield path
        return
    for key, value in document.items():
        yield from _leaves(value, f"{path}.{key}" if path else str(key))


def _problems_of_seeds(axes: Mapping[str, Axis], seeds: Any, algorithm: Any) -> list[InitErrorDetails]:
    if not seeds:
        return []
    if "seed" in axes:
        return [line_error(("seeds",), seeds, problem(seeds, "null beside an axis over seed"))]
    if algorithm == "population":
        return [line_error(("seeds",), seeds, problem(seeds, "null with algorithm population, whose members train on from each other"))]
    return []
