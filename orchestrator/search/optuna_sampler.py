"""Optuna's algorithms: TPE for one objective or several, and NSGA-II for several.

Sources: Bergstra et al., NeurIPS 2011; Ozaki et al., GECCO 2020; Deb et al., IEEE Transactions on Evolutionary Computation 2002.
"""

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.experiment.axes import Axis, Choice
from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.experiment.settings import Assignment
from orchestrator.search.drawing import assign
from orchestrator.search.samplers import Proposal
from orchestrator.search.trials import Axes, TrialResult

if TYPE_CHECKING:
    import optuna


class OptunaSampler:
    """Asks a study that goes on as long as what it was told holds, and is replayed where it does not.

    The chance of a wave depends on (search seed, number of the wave) alone. A wave asks from its first trial to its last,
    and results are told in the order of their index, so a study that goes on and one that is replayed are in the same state.

    Args:
        axes: The axes in file order.
        search: Algorithm, objectives, seed, wave.
    """

    def __init__(self, axes: Axes, search: SearchSpec) -> None:
        self._axes, self._search, self._lock = axes, search, threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._study: optuna.Study | None = None
        self._told: list[tuple[float, ...] | None] = []
        self._asked: list[Assignment] = []

    def propose(self, index: int, earlier: Sequence[TrialResult]) -> Proposal:
        """Returns trial `index`."""
        results = [trial.values for trial in earlier]
        with self._lock:
            known = min(len(results), len(self._told))
            if self._told[:known] != results[:known]:
                self._forget()
            if index >= len(self._asked):
                self._go_on(index, results)
            return Proposal(self._asked[index])

    def _go_on(self, index: int, results: Sequence[tuple[float, ...] | None]) -> None:
        """Asks for all trials up to `index`, telling the results of each wave before the next."""
        study = self._study = self._study or self._new_study()
        while len(self._asked) <= index:
            number = len(self._asked)
            if number % self._search.batch == 0:
                for told in range(len(self._told), number):
                    self._tell(study, told, results[told])
                study.sampler = self._sampler(number // self._search.batch)
            self._asked.append(self._ask(study))

    def _ask(self, study: "optuna.Study") -> Assignment:
        trial = study.ask()
        return assign(self._axes, lambda path, axis: _suggested(trial, path, axis))

    def _tell(self, study: "optuna.Study", number: int, values: tuple[float, ...] | None) -> None:
        import optuna  # noqa: PLC0415

        if values is None:
            study.tell(number, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(number, values)
        self._told.append(values)

    def _new_study(self) -> "optuna.Study":
        import optuna  # noqa: PLC0415  (0.5 s that plans without Optuna need not pay)

        logging.getLogger("optuna").setLevel(logging.WARNING)
        directions = ["minimize" if goal.direction == "min" else "maximize" for goal in self._search.goals]
        return optuna.create_study(directions=directions)

    def _sampler(self, wave: int) -> "optuna.samplers.BaseSampler":
        from optuna.samplers import NSGAIISampler, TPESampler  # noqa: PLC0415

        from orchestrator.search.known_space import KnownSpaceNSGA2, KnownSpaceTPE  # noqa: PLC0415

        seed = int(np.random.SeedSequence([self._search.seed, wave]).generate_state(1)[0])
        space = {path: _distribution(axis) for path, axis in self._axes.items()}
        conditions = any(axis.when for axis in self._axes.values())
        if self._search.algorithm == "nsga2":
            options = {"population_size": self._search.members, "seed": seed}
            return NSGAIISampler(**options) if conditions else KnownSpaceNSGA2(space, **options)
        tpe = {"seed": seed, "constant_liar": True, "n_startup_trials": self._startup_trials()}
        # Values are drawn jointly, but one by one where some of them come and go.
        return TPESampler(multivariate=False, **tpe) if conditions else KnownSpaceTPE(space, multivariate=True, **tpe)

    def _startup_trials(self) -> int:
        """Random trials before the first guess: Optuna's 10, but no more than a third of a small search."""
        return min(10, max(self._search.batch, (self._search.trials or 0) // 3))


def _distribution(axis: Axis) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: PLC0415

    if isinstance(axis, Choice):  # by position, since values may be lists, which Optuna cannot compare
        return CategoricalDistribution(tuple(range(len(axis.values))))
    if axis.kind == "integer":
        return IntDistribution(int(axis.low), int(axis.high))
    return FloatDistribution(axis.low, axis.high, log=axis.kind == "log_uniform")


def _suggested(trial: "optuna.Trial", path: str, axis: Axis) -> Any:
    if isinstance(axis, Choice):
        return axis.values[trial.suggest_categorical(path, tuple(range(len(axis.values))))]
    if axis.kind == "integer":
        return trial.suggest_int(path, int(axis.low), int(axis.high))
    return trial.suggest_float(path, axis.low, axis.high, log=axis.kind == "log_uniform")
