"""How many runs a stage has, as far as the experiment file alone says it."""

from orchestrator.experiment.sources import parse_origin
from orchestrator.experiment.spec import AnyStage, Experiment, GridStage, NetworkStage, SweepStage, TimingStage, TrainStage
from orchestrator.search import number_of_trials


def count_runs(experiment: Experiment, stage: AnyStage) -> int | None:
    """Returns how many runs a stage has as far as the file alone says it; None where the data set decides."""
    if isinstance(stage, SweepStage):
        return number_of_trials(stage.axes, stage.search) * len(stage.seeds or (0,))
    if isinstance(stage, TrainStage | NetworkStage):
        return len(stage.seeds or (0,))
    if isinstance(stage, GridStage):
        procedural = experiment.data[stage.data].procedural
        species = len(stage.species) if stage.species is not None else (len(procedural.species) if procedural else None)
        return None if species is None else species * len(stage.recipes) * len(stage.seeds or (0,))
    if isinstance(stage, TimingStage):
        return 1
    origin = parse_origin(stage.source)
    return count_runs(experiment, experiment.stage(origin.name)) if origin.kind == "stage" else 1
