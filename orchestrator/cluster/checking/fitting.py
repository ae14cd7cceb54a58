"""Whether the stages of experiments find a place on a cluster when it is as large as it gets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cluster.checking.findings import Finding, wrong
from orchestrator.cluster.checking.machines import Machine
from orchestrator.cluster.growth import MachineType, full_grown
from orchestrator.experiment.loading import load_experiment
from orchestrator.experiment.spec import Experiment
from orchestrator.planning.capacity import Capacity, Node, Resources, concurrency, missing
from orchestrator.planning.plan_records import resource_words
from orchestrator.planning.staffing import stage_resources


@dataclass(frozen=True)
class Fit:
    """How a stage fits.

    Attributes:
        experiment: The experiment's file.
        stage: Its stage.
        resources: What each run asks for, in words.
        at_once: Runs at a time on the full-grown cluster; 0 if not even one finds a place.
    """

    experiment: str
    stage: str
    resources: str
    at_once: int


def capacity_of(machines: Sequence[Machine], most_workers: int) -> Capacity:
    """Returns the cluster with all machines that it may have.

    Args:
        machines: Its kinds; what Ray counts of them must be known.
        most_workers: Workers of all kinds that there may be at once.
    """
    types = [MachineType(machine.name, Node(machine.cpus or 0.0, machine.gpus), machine.most, machine.is_head) for machine in machines]
    return full_grown(types, most_workers)


def fits(files: Sequence[Path], capacity: Capacity) -> tuple[list[Fit], list[Finding]]:
    """Returns how the stages of experiment files fit, and what does not.

    Raises:
        ExperimentError: A file cannot be used.
    """
    found, findings = list[Fit](), list[Finding]()
    for file in files:
        for fit, finding in _stages(str(file), load_experiment(file), capacity):
            found.append(fit)
            findings.extend([] if finding is None else [finding])
    return found, findings


def _stages(file: str, experiment: Experiment, capacity: Capacity) -> Iterator[tuple[Fit, Finding | None]]:
    for stage in experiment.stages:
        resources = stage_resources(experiment, stage)
        fit = Fit(file, stage.name, resource_words(resources), concurrency(resources, capacity))
        yield fit, None if fit.at_once else _too_large(fit, resources, capacity)


def _too_large(fit: Fit, resources: Resources, capacity: Capacity) -> Finding:
    hint = f"set stages.{fit.stage}.workers lower, or give node types more machines or larger ones"
    path = f"stage {fit.stage} of {fit.experiment}"
    return wrong(path, fit.resources, f"what fits this cluster when it is as large as it gets; it is {missing(resources, capacity)}", hint)
