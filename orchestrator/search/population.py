"""Population-based training (Jaderberg et al. 2017), in generations: runs that start from the final checkpoints of runs.

Trial `generation * members + member` trains on from the trial of the same member one generation earlier. The members of the
worst quantile give up: they take over weights and values of a random member of the best quantile, and change the values.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from orchestrator.experiment.axes import Axis, Choice
from orchestrator.experiment.search_spec import PerturbSpec, SearchSpec
from orchestrator.experiment.settings import Assignment
from orchestrator.search.drawing import assign, draw, draw_all
from orchestrator.search.samplers import Proposal
from orchestrator.search.trials import Axes, TrialResult

_QUANTILE = 0.25


class PopulationSampler:
    """Proposes generation after generation; the chance of a trial depends on (search seed, index) alone.

    Args:
        axes: The axes; none of them may change the shape of the model.
        search: Members, generations, quantile, how values are changed, seed.
    """

    def __init__(self, axes: Axes, search: SearchSpec) -> None:
        self._axes, self._search = axes, search
        self._perturb = search.perturb or PerturbSpec()
        self._share = max(1, math.floor((search.quantile or _QUANTILE) * search.members))

    def propose(self, index: int, earlier: Sequence[TrialResult]) -> Proposal:
        """Returns trial `index`."""
        generation, member = divmod(index, self._search.members)
        generator = np.random.default_rng([self._search.seed, index])
        note = f"generation {generation}, member {member}"
        if generation == 0:
            return Proposal(draw_all(self._axes, generator), note=note)
        before = list(earlier[-self._search.members :])
        ranked = self._ranked(before)
        own, best = before[member], ranked[: self._share]
        if own in ranked[: len(before) - self._share]:
            return Proposal(own.assignment, own.index, note, generation)
        if not best:  # nobody of the generation before can be continued
            return Proposal(draw_all(self._axes, generator), note=note)
        taken = best[int(generator.integers(len(best)))]
        return Proposal(self._perturbed(taken.assignment, generator), taken.index, note, generation)

    def _ranked(self, trials: Sequence[TrialResult]) -> list[TrialResult]:
        """The trials that have a value, the best first; those that failed are left out."""
        sign = 1 if self._search.goals[0].direction == "min" else -1
        return sorted((trial for trial in trials if trial.values), key=lambda trial: (sign * (trial.value or 0.0), trial.index))

    def _perturbed(self, assignment: Assignment, generator: np.random.Generator) -> Assignment:
        def value_of(path: str, axis: Axis) -> Any:
            if path not in assignment or generator.random() < self._perturb.resample:
                return draw(axis, generator)
            return self._changed(axis, assignment[path], generator)

        return assign(self._axes, value_of)

    def _changed(self, axis: Axis, value: Any, generator: np.random.Generator) -> Any:
        """A number of a range times a factor, a number of a list to its neighbour; what has no order stays."""
        if isinstance(axis, Choice):
            return _neighbour(axis.values, value, generator)
        factor = self._perturb.factors[int(generator.integers(len(self._perturb.factors)))]
        scaled = min(axis.high, max(axis.low, value * factor))
        return round(scaled) if axis.kind == "integer" else float(scaled)


def _neighbour(values: Sequence[Any], value: Any, generator: np.random.Generator) -> Any:
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in values):
        return value
    ordered = sorted(values)
    step = 1 if generator.random() < 0.5 else -1
    return ordered[min(len(ordered) - 1, max(0, ordered.index(value) + step))]
