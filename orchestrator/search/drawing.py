"""Values of axes: in which order they are decided, which axes exist, and every combination or a random one of them."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from orchestrator.experiment.axes import Axis, Choice
from orchestrator.experiment.conditions import holds
from orchestrator.experiment.settings import Assignment
from orchestrator.search.trials import Axes


def in_order(axes: Axes) -> list[str]:
    """Returns the paths in file order, but each after those that its condition looks at."""
    order: list[str] = []
    while len(order) < len(axes):
        known = len(order)
        order += [path for path in axes if path not in order and all(other in order for other, _ in axes[path].when)][:1]
        if len(order) == known:
            return order + [path for path in axes if path not in order]  # a cycle; the file's own check refuses it
    return order


def assign(axes: Axes, value_of: Callable[[str, Axis], Any]) -> Assignment:
    """Returns the values of the axes that exist, each decided by `value_of` when those before it are."""
    assignment: dict[str, Any] = {}
    for path in in_order(axes):
        if holds(axes[path].when, assignment):
            assignment[path] = value_of(path, axes[path])
    return _in_file_order(axes, assignment)


def _in_file_order(axes: Axes, assignment: Assignment) -> Assignment:
    return {path: assignment[path] for path in axes if path in assignment}


def combinations(axes: Axes) -> Iterator[Assignment]:
    """Yields every combination of the values of choices; the last axis changes fastest."""
    if not any(axis.when for axis in axes.values()):
        product = itertools.product(*(axis.values for axis in axes.values() if isinstance(axis, Choice)))
        return (dict(zip(axes, values, strict=True)) for values in product)
    return (_in_file_order(axes, assignment) for assignment in _extended(axes, in_order(axes), {}))


def _extended(axes: Axes, paths: list[str], assignment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if not paths:
        yield assignment
        return
    path, axis = paths[0], axes[paths[0]]
    if not isinstance(axis, Choice) or not holds(axis.when, assignment):
        yield from _extended(axes, paths[1:], assignment)
        return
    for value in axis.values:
        yield from _extended(axes, paths[1:], assignment | {path: value})


def count_combinations(axes: Axes) -> int:
    """Returns how many combinations there are."""
    if any(axis.when for axis in axes.values()):
        return sum(1 for _ in combinations(axes))
    return math.prod(len(axis.values) for axis in axes.values() if isinstance(axis, Choice))


def draw_all(axes: Axes, generator: np.random.Generator) -> Assignment:
    """Returns a random value of every axis that exists."""
    return assign(axes, lambda _, axis: draw(axis, generator))


def draw(axis: Axis, generator: np.random.Generator) -> Any:
    """Returns a random value of an axis."""
    if isinstance(axis, Choice):
        return axis.values[int(generator.integers(len(axis.values)))]
    if axis.kind == "integer":
        return int(generator.integers(int(axis.low), int(axis.high), endpoint=True))
    if axis.kind == "log_uniform":
        return float(math.exp(generator.uniform(math.log(axis.low), math.log(axis.high))))
    return float(generator.uniform(axis.low, axis.high))
