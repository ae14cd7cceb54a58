"""Expands a stage that trains a network of the front end: one run a seed, each measured on the held-out split."""

from dataclasses import asdict, replace

from g3dr.config import ModelConfig, ObjectiveConfig
from g3dr.diffusion.config import DenoiserConfig
from g3dr.errors import ConfigError
from g3dr.networks import NetworkConfig
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.settings import Settings, overlaid
from orchestrator.experiment.spec import Experiment, NetworkStage
from orchestrator.planning.expand import Start, dataset_of, species_of, start_of
from orchestrator.planning.knowledge import DatasetInfo, Knowledge
from orchestrator.planning.staffing import stage_resources
from orchestrator.runs import DataSelection, EvaluationSpec, RunRequest, RunSpec


def expand_network(experiment: Experiment, stage: NetworkStage, knowledge: Knowledge) -> list[RunRequest]:
    """Returns the stage's runs.

    Raises:
        ExperimentError: The data set or an origin does not fit the stage.
        WaitError: The data set is not packed yet, or what the stage starts from is not known yet.
    """
    dataset, seeds = dataset_of(stage, knowledge), stage.seeds or (experiment.seed,)
    changes = {"training": stage.training, "evaluation": stage.evaluation}
    settings = overlaid(experiment.base, changes, f"stages.{stage.name}")
    requests = [_request(experiment, stage, replace(settings, seed=seed), dataset, knowledge) for seed in seeds]
    return requests if len(seeds) == 1 else [replace(request, label=f"{stage.name}, seed {request.spec.seed}") for request in requests]


def _request(experiment: Experiment, stage: NetworkStage, settings: Settings, dataset: DatasetInfo, knowledge: Knowledge) -> RunRequest:
    start, latents = (start_of(experiment, source, knowledge, settings.seed) for source in (stage.source, stage.autoencoder))
    species = species_of(stage, dataset)
    spec = RunSpec(
        ModelConfig(),
        ObjectiveConfig(),
        settings.training,
        DataSelection(dataset.version, "train", species),
        start.identity,
        settings.seed,
        knowledge.compute_version,
        network=_completed(experiment, stage, latents, species or dataset.species),
        autoencoder=latents.identity,
    )
    return RunRequest(
        spec=spec,
        label=stage.name,
        stage=stage.name,
        data_uri=dataset.uri,
        initial_path=start.path,
        autoencoder_path=latents.path,
        evaluation=EvaluationSpec.of(settings.evaluation, dataset.version, species),
        evaluation_data_uri=dataset.uri,
        kept_checkpoints=experiment.retention.checkpoints,
        **asdict(stage_resources(experiment, stage)),
    )


def _completed(experiment: Experiment, stage: NetworkStage, latents: Start, species: tuple[str, ...]) -> NetworkConfig:
    """A denoiser that names no classes knows all species of its data; it sees what its autoencoder was trained to see."""
    config = stage.network.config
    if not isinstance(config, DenoiserConfig):
        return config
    config = replace(config, classes=config.classes or species)
    if latents.request is not None and latents.request.spec.resolution != config.resolution:
        sees = f"{latents.request.spec.resolution}, which is what {stage.autoencoder} was trained on"
        path = f"stages.{stage.name}.network.denoiser.resolution"
        raise ExperimentError(experiment.name, [ConfigError(path, config.resolution, sees)])
    return config
