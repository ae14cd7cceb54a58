"""Which runs of a sweep end early: decided at rungs, from what the others had at the same step.

Nothing here knows of time or of Ray. A rule that is made anew is fed from the ledger (`history_of`), so it decides with all
that an undisturbed one would have known; and it decides about each run once at each rung, so a run that went on goes on
when its training is continued after an interruption.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.experiment.scores import Mode
from orchestrator.experiment.stopping_spec import EarlyStoppingSpec
from orchestrator.runs import RunRequest

_LEAST_OTHERS = 3


@dataclass
class History:
    """What is known of the runs of a sweep.

    Attributes:
        values: What runs had at rungs: step -> run id -> value.
        newest: The newest step that is known of each run.
    """

    values: dict[int, dict[str, float]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)

    def add(self, run: str, step: int, value: float) -> None:
        """Notes what a run had at a rung."""
        self.values.setdefault(step, {})[run] = value
        self.newest[run] = max(step, self.newest.get(run, 0))

    def others(self, run: str, step: int) -> list[float]:
        """Returns what the other runs had at the same step."""
        return [value for other, value in self.values.get(step, {}).items() if other != run]


def should_stop(rule: EarlyStoppingSpec, value: float, others: Sequence[float], mode: Mode) -> bool:
    """Tells whether a run ends at a rung.

    Args:
        rule: How runs are compared.
        value: What the run has there; a value that is not finite is behind all that are.
        others: What the others had at the same step, in any order.
        mode: Whether less or more is better.
    """
    own, rest = _loss(value, mode), [_loss(other, mode) for other in others]
    return _behind_in_asha(own, rest, rule.factor) if rule.rule == "asha" else _behind_median(own, rest, rule.least_others or _LEAST_OTHERS)


def _loss(value: float, mode: Mode) -> float:
    """Less is better from here on."""
    if not math.isfinite(value):
        return math.inf
    return value if mode == "min" else -value


def _behind_in_asha(own: float, others: Sequence[float], factor: int) -> bool:
    """One of `factor` goes on, and the best so far always does: whoever comes first meets nobody better."""
    places = max(1, (len(others) + 1) // factor)
    return sum(other < own for other in others) >= places


def _behind_median(own: float, others: Sequence[float], least: int) -> bool:
    return len(others) >= least and own > statistics.median(others)


def history_of(requests: Iterable[RunRequest], metrics_of: Callable[[str], Sequence[Mapping[str, float]]], metric: str) -> History:
    """Returns what runs had at their rungs, from the rows of the ledger.

    Args:
        requests: Runs of the sweep; those without rungs, and those that have not begun, add nothing.
        metrics_of: The rows of a run by its id.
        metric: The number that is compared.
    """
    history = History()
    for run, rungs in {request.spec.id: request.rungs for request in requests}.items():
        for row in metrics_of(run) if rungs else ():
            step = int(row["step"])
            history.newest[run] = max(step, history.newest.get(run, 0))
            if step in rungs and metric in row:
                history.add(run, step, float(row[metric]))
    return history


class StoppingRule:
    """An early-stopping rule with the memory of its sweep.

    Args:
        rule: How runs are compared.
        metric: The number that is compared; the first objective's.
        mode: Whether less or more is better.
        history: What is known already, from `history_of`; the object keeps it up to date.
    """

    def __init__(self, rule: EarlyStoppingSpec, metric: str, mode: Mode, history: History | None = None) -> None:
        self._rule, self._metric, self._mode = rule, metric, mode
        self._history = history or History()

    def stops(self, request: RunRequest, step: int, metrics: Mapping[str, float]) -> bool:
        """Takes a run's metrics at a rung and tells whether the run ends there.

        A rung that the run has left behind was decided when it was there. A run that reports nothing of the metric goes on.
        """
        run = request.spec.id
        if step not in request.rungs or self._metric not in metrics or self._history.newest.get(run, 0) > step:
            return False
        value = float(metrics[self._metric])
        self._history.add(run, step, value)
        return should_stop(self._rule, value, self._history.others(run, step), self._mode)
