"""Which trial comes next in a sweep: a pure function of the axes, the search, and the results so far.

Nothing is kept between calls. A search that is killed and resumed proposes what the undisturbed one would have,
because a proposal depends on (seed, index) and on finished results in the order of their index, never on timing:
grid and random need no results, and Optuna proposes in batches, each from the results of all batches before it.
"""

import itertools
import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.axes import Axis, Choice
from orchestrator.scores import mode_of
from orchestrator.settings import Assignment

if TYPE_CHECKING:
    import optuna

    from orchestrator.spec import SearchSpec

Axes = Mapping[str, Axis]


@dataclass(frozen=True)
class TrialResult:
    """A trial that is over.

    Attributes:
        index: Its number.
        assignment: Its values by dotted path.
        value: Its metric; None if it failed.
    """

    index: int
    assignment: Assignment
    value: float | None


def number_of_trials(axes: Axes, search: "SearchSpec") -> int:
    """Returns how many trials a sweep has."""
    if search.trials is not None:
        return search.trials
    return math.prod(len(axis.values) for axis in axes.values() if isinstance(axis, Choice))


def direction(search: "SearchSpec") -> str:
    """Returns `min` or `max`: what the search says, or what the metric means."""
    return search.mode or mode_of(search.metric)


def propose(axes: Axes, search: "SearchSpec", index: int, history: Sequence[TrialResult]) -> Assignment | None:
    """Returns the values of trial `index`, or None while results are missing that it depends on.

    Args:
        axes: The axes in file order.
        search: Algorithm, seed, batch.
        index: Number of the trial, from 0.
        history: Trials that are over, in any order.
    """
    if search.algorithm == "grid":
        return _grid(axes, index)
    if search.algorithm == "random":
        return _random(axes, np.random.default_rng([search.seed, index]))
    first = index - index % search.batch
    earlier = sorted((trial for trial in history if trial.index < first), key=lambda trial: trial.index)
    if [trial.index for trial in earlier] != list(range(first)):
        return None
    return _optuna(axes, search, index, earlier)


def _grid(axes: Axes, index: int) -> Assignment:
    """The last axis changes fastest."""
    values = [axis.values for axis in axes.values() if isinstance(axis, Choice)]
    combination = next(itertools.islice(itertools.product(*values), index, None))
    return dict(zip(axes, combination, strict=True))


def _random(axes: Axes, generator: np.random.Generator) -> Assignment:
    return {path: _draw(axis, generator) for path, axis in axes.items()}


def _draw(axis: Axis, generator: np.random.Generator) -> Any:
    if isinstance(axis, Choice):
        return axis.values[int(generator.integers(len(axis.values)))]
    if axis.kind == "integer":
        return int(generator.integers(int(axis.low), int(axis.high), endpoint=True))
    if axis.kind == "log_uniform":
        return float(math.exp(generator.uniform(math.log(axis.low), math.log(axis.high))))
    return float(generator.uniform(axis.low, axis.high))


def _optuna(axes: Axes, search: "SearchSpec", index: int, earlier: Sequence[TrialResult]) -> Assignment:
    """Replays earlier batches into a fresh study, then asks for the trials of this batch up to `index`."""
    import optuna  # noqa: PLC0415  (0.5 s that plans without Optuna need not pay)

    logging.getLogger("optuna").setLevel(logging.WARNING)
    batch, place = divmod(index, search.batch)
    seed = int(np.random.SeedSequence([search.seed, batch]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # constant_liar, where it is still called so
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=_startup_trials(search))
    study = optuna.create_study(sampler=sampler, direction="minimize" if direction(search) == "min" else "maximize")
    distributions = {path: _distribution(axis) for path, axis in axes.items()}
    study.add_trials([_told(axes, distributions, trial) for trial in earlier])
    asked = [study.ask(distributions) for _ in range(place + 1)][-1]
    return {path: _value(axis, asked.params[path]) for path, axis in axes.items()}


def _startup_trials(search: "SearchSpec") -> int:
    """Random trials before the first guess: Optuna's 10, but no more than a third of a small search."""
    return min(10, max(search.batch, (search.trials or 0) // 3))


def _distribution(axis: Axis) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: PLC0415

    if isinstance(axis, Choice):  # by position, since values may be lists, which Optuna cannot compare
        return CategoricalDistribution(range(len(axis.values)))
    if axis.kind == "integer":
        return IntDistribution(int(axis.low), int(axis.high))
    return FloatDistribution(axis.low, axis.high, log=axis.kind == "log_uniform")


def _value(axis: Axis, parameter: Any) -> Any:
    return axis.values[parameter] if isinstance(axis, Choice) else parameter


def _told(axes: Axes, distributions: Mapping[str, Any], trial: TrialResult) -> "optuna.trial.FrozenTrial":
    import optuna  # noqa: PLC0415

    parameters = {
        path: axis.values.index(trial.assignment[path]) if isinstance(axis, Choice) else trial.assignment[path]
        for path, axis in axes.items()
    }
    usable = trial.value is not None and math.isfinite(trial.value)
    state = optuna.trial.TrialState.COMPLETE if usable else optuna.trial.TrialState.FAIL
    return optuna.trial.create_trial(
        params=parameters, distributions=dict(distributions), value=trial.value if usable else None, state=state
    )


def best_of(results: Sequence[TrialResult], mode: str) -> TrialResult | None:
    """Returns the best trial, the earliest among equals; None if none has a finite value."""
    usable = [trial for trial in results if trial.value is not None and math.isfinite(trial.value)]
    sign = 1 if mode == "min" else -1
    return min(usable, key=lambda trial: (sign * (trial.value or 0.0), trial.index), default=None)


def label_of(assignment: Assignment) -> str:
    """Returns the values in a few words; section names that say nothing are left out."""
    return ", ".join(f"{path.removeprefix('objective.').removeprefix('training.')}={_short(value)}" for path, value in assignment.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
