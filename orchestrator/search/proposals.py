"""What a sweep asks for next: a queue hands out requests in the order of their index and asks here for each of them."""

import statistics
from collections.abc import Callable, Sequence
from typing import Protocol

from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.planning.knowledge import Outcome
from orchestrator.runs import RunRequest
from orchestrator.search.samplers import Proposal, Sampler, first_of_wave
from orchestrator.search.trials import TrialResult, usable

OutcomeOf = Callable[[RunRequest], Outcome | None]
"""How a run ended, with its measurement; None while it is not over, or while it will be tried again."""


class Proposals(Protocol):
    """The runs of a stage, in the order in which they are started. Equal results give equal requests.

    Attributes:
        total: How many requests there are.
    """

    total: int

    def request(self, index: int, outcome: OutcomeOf) -> RunRequest | None:
        """Returns request `index`, from 0; None while results are missing that it depends on.

        Indices are asked for in ascending order, and the same one again after a None.

        Args:
            index: Number of the request.
            outcome: How a run ended; asked about earlier requests of the same stage only.
        """
        ...

    def is_settled(self, index: int, outcome: OutcomeOf) -> bool:
        """Tells whether others were already proposed from the result of request `index`; if it failed, it then stays so.

        Args:
            index: Number of the request.
            outcome: As in `request`.
        """
        ...


class MakeRequest(Protocol):
    """Makes the request of one run of a trial."""

    def __call__(self, trial: int, proposal: Proposal, seed: int | None, parent: RunRequest | None) -> RunRequest:
        """Returns the request.

        Args:
            trial: Number of the trial.
            proposal: Its values.
            seed: The run's seed; None for that of its settings.
            parent: The run that it trains on from; None for what the stage starts from.
        """
        ...


_Trial = tuple[Proposal, list[RunRequest]]


class SweepProposals:
    """The runs of a sweep: trial after trial, and of each trial one run per seed.

    Results that have been used stay as they were: a run that failed and is tried again later changes what a new object
    proposes, not what this one has proposed.

    Args:
        search: Algorithm and objectives.
        sampler: Proposes the trials.
        trials: How many there are.
        make: Makes their requests.
        seeds: Seeds of each trial's runs; `(None,)` for the one of the settings.
    """

    def __init__(self, search: SearchSpec, sampler: Sampler, trials: int, make: MakeRequest, seeds: Sequence[int | None] = (None,)) -> None:
        self._search, self._sampler, self._make, self._seeds = search, sampler, make, tuple(seeds)
        self.total = trials * len(self._seeds)
        self._results: list[TrialResult] = []
        self._made: dict[int, _Trial] = {}

    def request(self, index: int, outcome: OutcomeOf) -> RunRequest | None:
        """Returns request `index`, from 0; None while results are missing that it depends on."""
        trial, place = divmod(index, len(self._seeds))
        first = first_of_wave(self._search, trial)
        if not self._knows(first, outcome):
            return None
        if not self._search.learns:  # nobody will ask for its result
            proposal = self._sampler.propose(trial, ())
            return self._make(trial, proposal, self._seeds[place], None)
        return self._trial(trial, self._results)[1][place]

    def is_settled(self, index: int, outcome: OutcomeOf) -> bool:
        """Tells whether trials that were proposed from the result of request `index` are over.

        Trying a failed run again would then change what is proposed after it, and lose what was computed since.
        """
        wave, trials = self._search.wave or 0, self.total // len(self._seeds)
        end = first_of_wave(self._search, index // len(self._seeds)) + wave
        results = self._results_of(end, outcome) if wave and end < trials else None
        if results is None:
            return False
        following = [self._made_from(number, results) for number in range(end, min(end + wave, trials))]
        return any(outcome(request) is not None for _, requests in following for request in requests)

    def _knows(self, count: int, outcome: OutcomeOf) -> bool:
        """Collects the results of the first `count` trials; tells whether all are there."""
        results = self._results_of(count, outcome)
        self._results = self._results if results is None else results
        return results is not None

    def _results_of(self, count: int, outcome: OutcomeOf) -> list[TrialResult] | None:
        """Returns the results of the first `count` trials and of those known before; None while one is missing."""
        results = list(self._results)
        for number in range(len(results), count):
            proposal, requests = self._trial(number, results)
            outcomes = [outcome(request) for request in requests]
            known = [found for found in outcomes if found is not None]
            if len(known) < len(outcomes):
                return None
            results.append(TrialResult(number, proposal.assignment, trial_values(known, self._search)))
        return results

    def _trial(self, number: int, results: Sequence[TrialResult]) -> _Trial:
        if number not in self._made:
            self._made[number] = self._made_from(number, results)
        return self._made[number]

    def _made_from(self, number: int, results: Sequence[TrialResult]) -> _Trial:
        proposal = self._sampler.propose(number, results[: first_of_wave(self._search, number)])
        parent = None if proposal.parent is None else self._trial(proposal.parent, results)[1][0]
        return proposal, [self._make(number, proposal, seed, parent) for seed in self._seeds]


def trial_values(outcomes: Sequence[Outcome], search: SearchSpec) -> tuple[float, ...] | None:
    """Returns a trial's mean over its runs in each objective; None if one of them failed or lacks a number.

    A run that was stopped early counts with what it had at the rung where it was stopped.
    """
    if any(outcome.state not in ("finished", "stopped") for outcome in outcomes):
        return None
    means = (_mean([outcome.metrics.get(goal.metric) for outcome in outcomes]) for goal in search.goals)
    return usable(list(means))


def _mean(values: Sequence[float | None]) -> float | None:
    """One seed gives its own number, unrounded."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None
