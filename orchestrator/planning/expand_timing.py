"""Expands a timing stage: one request, which trains nothing and times its recipes from a checkpoint."""

from dataclasses import replace

from orchestrator.experiment.recipes import RECIPES
from orchestrator.experiment.settings import Settings, overlaid
from orchestrator.experiment.spec import Experiment, TimingStage
from orchestrator.planning.expand import dataset_of, request_of, start_of
from orchestrator.planning.knowledge import Knowledge
from orchestrator.runs import RunRequest
from orchestrator.timing_spec import TimedRecipe, TimingSpec


def expand_timing(experiment: Experiment, stage: TimingStage, knowledge: Knowledge) -> list[RunRequest]:
    """Returns the stage's one request.

    Raises:
        ExperimentError: What it starts from has no usable run.
        WaitError: The data set is not packed yet, or what it starts from is not known yet.
    """
    dataset, start = dataset_of(stage, knowledge), start_of(experiment, stage.source, knowledge, experiment.seed)
    base = experiment.base if start.request is None else replace(experiment.base, model=start.request.spec.model)
    settings = overlaid(base, {"objective": stage.objective, "training": stage.training}, f"stages.{stage.name}")
    recipes = tuple(_recipe(stage, name, settings) for name in stage.recipes)
    untrained = overlaid(settings, RECIPES["pre_trained"], f"stages.{stage.name}")
    request = request_of(experiment, stage, untrained, start, dataset, label=stage.name, knowledge=knowledge, measured=False)
    return [replace(request, timing=TimingSpec(recipes, stage.rounds, experiment.seed))]


def _recipe(stage: TimingStage, name: str, settings: Settings) -> TimedRecipe:
    own = stage.recipes[name]
    changed = overlaid(settings, RECIPES[name] if own is None else own.changes, f"stages.{stage.name}.recipes.{name}")
    return TimedRecipe(name, changed.objective, changed.training)
