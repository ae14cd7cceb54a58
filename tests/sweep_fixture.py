"""Sweeps without Ray: an experiment with one, a ledger that is a dictionary, and a run that is a function of its values."""

from collections.abc import Callable, Mapping
from typing import Any

from experiment_document import DOCUMENT

from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.spec import Experiment, SweepStage
from orchestrator.planning.expand_sweep import shared_sampler, sweep_proposals
from orchestrator.planning.knowledge import DatasetInfo, Knowledge, Outcome
from orchestrator.runs import RunRequest
from orchestrator.search import Proposals, SweepProposals

KNOWN = Knowledge({"animals": DatasetInfo("uri", "version", ("bird", "fish"), {"train": 12, "test": 4})})
Measure = Callable[[RunRequest], Mapping[str, float] | None]


def experiment(*settings: str) -> Experiment:
    """The small experiment, whose stage `losses` is a sweep that starts from the stage `pretrain`."""
    return check_document(apply_settings(DOCUMENT, settings), "small.yaml")


def problems(*settings: str) -> dict[str, str]:
    """What is wrong with the small experiment after some changes, by path."""
    try:
        experiment(*settings)
    except ExperimentError as error:
        return {problem.path: str(problem) for problem in error.problems}
    return {}


def proposals(*settings: str, knowledge: Knowledge = KNOWN) -> SweepProposals:
    """New proposals of the sweep, as a process has them that was just started."""
    found = experiment(*settings)
    stage = found.stage("losses")
    assert isinstance(stage, SweepStage)
    shared_sampler.cache_clear()
    return sweep_proposals(found, stage, knowledge)


class MemoryLedger:
    """Outcomes by run id. `measure` gives a run's metrics; None means that it failed."""

    def __init__(self, measure: Measure) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._measure = measure

    def outcome(self, request: RunRequest) -> Outcome | None:
        return self.outcomes.get(request.spec.id)

    def finish(self, request: RunRequest) -> None:
        metrics = self._measure(request)
        self.outcomes[request.spec.id] = Outcome("failed") if metrics is None else Outcome("finished", metrics)


def run(found: Proposals, ledger: MemoryLedger, *, computed: int = 10**9, at_once: int = 3) -> list[RunRequest]:
    """Computes what is proposed, at most `at_once` at a time and the newest first, until `computed` runs were computed.

    Returns all requests that were handed out, in their order.
    """
    handed: list[RunRequest] = []
    running: list[RunRequest] = []
    index = 0
    while computed > 0 and (index < found.total or running):
        request = found.request(index, ledger.outcome) if index < found.total and len(running) < at_once else None
        if request is None:
            ledger.finish(running.pop())
            computed -= 1
            continue
        index += 1
        handed.append(request)
        if ledger.outcome(request) is None and all(request.spec.id != other.spec.id for other in running):
            running.append(request)
    return handed


def values(requests: list[RunRequest]) -> list[dict[str, Any]]:
    return [dict(request.assignment) for request in requests]
