"""What a stage found: its best run, and with several objectives the runs that no other beats in all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.experiment.scores import mode_of
from orchestrator.experiment.search_spec import ObjectiveSpec, SearchSpec
from orchestrator.experiment.spec import AnyStage, GridStage, SweepStage
from orchestrator.planning.knowledge import Outcome
from orchestrator.runs import RunRequest
from orchestrator.search import TrialResult, best_of, label_of, pareto
from orchestrator.search.proposals import trial_values


@dataclass(frozen=True)
class Contender:
    """A trial of a sweep, or a cell of a grid, that has finished.

    Attributes:
        requests: Its runs, one per seed.
        result: What it reached.
    """

    requests: tuple[RunRequest, ...]
    result: TrialResult

    def of_seed(self, seed: int | None) -> RunRequest:
        """Returns the run with a seed, else the first: which seed was the luckiest says nothing about the values."""
        return next((request for request in self.requests if request.spec.seed == seed), self.requests[0])


@dataclass(frozen=True)
class StageChoice:
    """What a stage found.

    Attributes:
        objectives: What was compared, the most important first.
        best: The best in the first objective; None if nothing finished.
        pareto: Those that nobody beats in every objective; the best is among them.
    """

    objectives: tuple[ObjectiveSpec, ...]
    best: Contender | None = None
    pareto: tuple[Contender, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns what a stage's record keeps of it; `metric` and `mode` are the first objective's."""
        first = self.objectives[0]
        record = {"best": self.best.requests[0].spec.id if self.best else None, "metric": first.metric, "mode": first.direction}
        if len(self.objectives) == 1:
            return record
        objectives = [{"metric": goal.metric, "mode": goal.direction} for goal in self.objectives]
        return {**record, "objectives": objectives, "pareto": [self._to_json(contender) for contender in self.pareto]}

    def _to_json(self, contender: Contender) -> dict[str, Any]:
        values = contender.result.values or ()
        return {
            "runs": [request.spec.id for request in contender.requests],
            "label": label_of(contender.result.assignment),
            "assignment": dict(contender.result.assignment),
            "values": {goal.metric: value for goal, value in zip(self.objectives, values, strict=True)},
        }


def objectives_of(stage: AnyStage) -> tuple[ObjectiveSpec, ...]:
    """Returns what a stage compares; empty for one that compares nothing."""
    if isinstance(stage, SweepStage):
        return stage.search.goals
    metric = stage.metric if isinstance(stage, GridStage) else None
    return () if metric is None else (ObjectiveSpec(metric=metric, mode=mode_of(metric)),)


def choose(stage: AnyStage, requests: Sequence[RunRequest], outcomes: Sequence[Outcome | None]) -> StageChoice | None:
    """Returns what a stage found; None for one that compares nothing.

    Only trials all of whose runs finished compete: one that was stopped was behind, and its last checkpoint is not the one
    that was planned.

    Args:
        stage: The stage.
        requests: Its runs.
        outcomes: How they ended.
    """
    objectives = objectives_of(stage)
    if not objectives:
        return None
    search = stage.search if isinstance(stage, SweepStage) else SearchSpec.model_validate({"metric": objectives[0].metric})
    groups: dict[int, list[tuple[RunRequest, Outcome | None]]] = {}
    for position, request in enumerate(requests):
        trial = request.index if isinstance(stage, SweepStage) else position
        groups.setdefault(trial, []).append((request, outcomes[position]))
    contenders = {trial: _contender(trial, runs, search) for trial, runs in groups.items()}
    results = [contender.result for contender in contenders.values()]
    front = pareto(results, [goal.direction for goal in objectives])
    best = best_of(front, objectives[0].direction)
    return StageChoice(objectives, contenders[best.index] if best else None, tuple(contenders[result.index] for result in front))


def _contender(trial: int, runs: Sequence[tuple[RunRequest, Outcome | None]], search: SearchSpec) -> Contender:
    finished = [outcome for _, outcome in runs if outcome is not None and outcome.state == "finished"]
    values = trial_values(finished, search) if len(finished) == len(runs) else None
    return Contender(tuple(request for request, _ in runs), TrialResult(trial, runs[0][0].assignment, values))
