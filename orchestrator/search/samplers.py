"""Which values a trial has: a pure function of the axes, the search, and the results of the waves before it.

Nothing depends on timing. Trials are proposed in waves; those of one wave know the results of all earlier waves and
of nothing else, so a search that was killed and is made anew from the ledger proposes what the undisturbed one would have.
A grid and random draws need no results; all their trials are one wave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.experiment.settings import Assignment
from orchestrator.search.drawing import combinations, count_combinations, draw_all
from orchestrator.search.trials import Axes, TrialResult


@dataclass(frozen=True)
class Proposal:
    """A trial that is to be made.

    Attributes:
        assignment: Its values by dotted path.
        parent: Number of the trial whose trained weights it starts from; None for what its stage starts from.
        note: What tells it apart from other trials with the same values, for people.
        seed_offset: Added to the seed of its run.
    """

    assignment: Assignment
    parent: int | None = None
    note: str = ""
    seed_offset: int = 0


class Sampler(Protocol):
    """Proposes trials."""

    def propose(self, index: int, earlier: Sequence[TrialResult]) -> Proposal:
        """Returns trial `index`; equal arguments give equal answers.

        Args:
            index: Number of the trial.
            earlier: The results of all trials before the trial's wave, in the order of their index.
        """
        ...


def number_of_trials(axes: Axes, search: SearchSpec) -> int:
    """Returns how many trials a sweep has."""
    if search.algorithm == "population":
        return search.members * (search.generations or 1)
    return count_combinations(axes) if search.trials is None else search.trials


def first_of_wave(search: SearchSpec, index: int) -> int:
    """Returns how many trials must be over before trial `index` can be proposed; they are the first ones."""
    return 0 if search.wave is None else index - index % search.wave


def make_sampler(axes: Axes, search: SearchSpec) -> Sampler:
    """Returns the sampler of a search's algorithm."""
    if search.algorithm == "grid":
        return GridSampler(axes)
    if search.algorithm == "random":
        return RandomSampler(axes, search.seed)
    if search.algorithm == "population":
        from orchestrator.search.population import PopulationSampler  # noqa: PLC0415  (knows Proposal)

        return PopulationSampler(axes, search)
    from orchestrator.search.optuna_sampler import OptunaSampler  # noqa: PLC0415  (likewise)

    return OptunaSampler(axes, search)


def propose(axes: Axes, search: SearchSpec, index: int, history: Sequence[TrialResult]) -> Proposal | None:
    """Returns trial `index` of a search without memory, or None while results are missing that it depends on.

    Args:
        axes: The axes in file order.
        search: Algorithm, seed, wave.
        index: Number of the trial, from 0.
        history: Trials that are over, in any order.
    """
    by_index = {trial.index: trial for trial in history}
    needed = range(first_of_wave(search, index))
    if not all(number in by_index for number in needed):
        return None
    return make_sampler(axes, search).propose(index, [by_index[number] for number in needed])


class GridSampler:
    """Every combination in file order.

    Args:
        axes: The axes, all of them lists of values.
    """

    def __init__(self, axes: Axes) -> None:
        self._rest, self._known = combinations(axes), list[Assignment]()

    def propose(self, index: int, earlier: Sequence[TrialResult]) -> Proposal:  # noqa: ARG002  (a grid learns nothing)
        """Returns combination `index`."""
        while len(self._known) <= index:
            self._known.append(next(self._rest))
        return Proposal(self._known[index])


class RandomSampler:
    """Independent draws, each from a generator of its own.

    Args:
        axes: The axes.
        seed: The search's.
    """

    def __init__(self, axes: Axes, seed: int) -> None:
        self._axes, self._seed = axes, seed

    def propose(self, index: int, earlier: Sequence[TrialResult]) -> Proposal:  # noqa: ARG002  (nor do draws)
        """Returns draw `index`."""
        return Proposal(draw_all(self._axes, np.random.default_rng([self._seed, index])))
