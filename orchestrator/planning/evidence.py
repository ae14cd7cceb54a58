"""Gathers from a ledger what a plan says about time, money and other experiments."""

from collections.abc import Callable, Sequence
from itertools import islice

from orchestrator.experiment.spec import Experiment
from orchestrator.ledger import Ledger
from orchestrator.planning.estimates import Measurements
from orchestrator.planning.machines import machine_kind
from orchestrator.planning.plan import Evidence
from orchestrator.planning.prices import Prices
from orchestrator.planning.staffing import stage_resources
from orchestrator.planning.survey import survey
from orchestrator.planning.timings import read_timings
from orchestrator.planning.work import Work, work_of
from orchestrator.runs import RunRequest

_OWN_RUNS = 64


def evidence_of(
    experiment: Experiment, ledger: Ledger, prices: Prices | None, finished: Callable[[], Sequence[RunRequest]], *, is_here: bool
) -> Evidence:
    """Returns what the ledger knows.

    Args:
        experiment: What is planned.
        ledger: Where to look.
        prices: Of the user's file.
        finished: Runs of the experiment that are in the ledger, asked once they are known.
        is_here: Whether this machine computes; the kinds of a cluster's are not known.
    """
    found = survey(ledger)
    machine = machine_kind if is_here else _unknown
    executors = {stage.name: stage_resources(experiment, stage).executor for stage in experiment.stages}

    def measurements(requests: Sequence[RunRequest]) -> Measurements:
        return Measurements(
            timings=read_timings(ledger.store, [work_of(request) for request in requests]),
            own=_own(ledger, finished()) if requests else (),
            starts=found.starts(ledger, experiment.name, executors) if requests else {},
            machine=machine,
        )

    return Evidence(measurements, found.askers(experiment.name), prices, machine)


def _unknown(_: float) -> None:
    return None


def _own(ledger: Ledger, finished: Sequence[RunRequest]) -> list[tuple[Work, float]]:
    requests = {request.spec.id: request for request in islice(finished, _OWN_RUNS)}
    statuses = ledger.statuses(list(requests))
    return [(work_of(requests[run]), status.seconds_per_step) for run, status in statuses.items()]
