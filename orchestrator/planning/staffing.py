"""What each run of a stage gets to compute with."""

from orchestrator.experiment.spec import AnyStage, Experiment, ResourcesSpec, SharedStage
from orchestrator.planning.capacity import Resources


def stage_resources(experiment: Experiment, stage: AnyStage) -> Resources:
    """Returns what each run of a stage gets; a measurement always has one worker."""
    given = experiment.resources
    return Resources(
        workers=(stage.workers or given.workers) if isinstance(stage, SharedStage) else 1,
        cpus_per_worker=given.cpus_per_worker if stage.cpus_per_worker is None else stage.cpus_per_worker,
        gpus_per_worker=given.gpus_per_worker if stage.gpus_per_worker is None else stage.gpus_per_worker,
        min_workers=_min_workers(given, stage) if isinstance(stage, SharedStage) else None,
        device=given.device,
    )


def _min_workers(given: ResourcesSpec, stage: SharedStage) -> int | None:
    """A stage that says how many workers it has says what the least is as well."""
    return given.min_workers if stage.workers is None and stage.min_workers is None else stage.min_workers
