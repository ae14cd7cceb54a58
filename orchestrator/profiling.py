"""What `g3dr profile` measures: one run of a stage, as a single worker would compute it, on random pictures."""

from collections.abc import Callable

import numpy as np
import torch

from g3dr.errors import ConfigError, did_you_mean
from g3dr.model import G3DR
from g3dr.procedural import species_name
from g3dr.profiling.steps import Workload
from g3dr.profiling.untrained import backbones_or_untrained
from g3dr.types import Batch
from orchestrator.experiment.data_spec import DataSpec
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.sources import parse_origin
from orchestrator.experiment.spec import AnyStage, Experiment
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import DatasetInfo, Deferred, Knowledge
from orchestrator.runs import RunRequest
from orchestrator.shards.decoding import DecodedRows

_PICTURES = 64


def request_of(experiment: Experiment, stage_name: str | None) -> RunRequest:
    """Returns the first run of a stage that trains; of the first stage with one if no stage is named.

    Raises:
        ExperimentError: There is no such stage, it trains nothing, or its settings wait for the results of another.
    """
    names = [stage.name for stage in experiment.stages]
    if stage_name is not None and stage_name not in names:
        problem = ConfigError("--stage", stage_name, ", ".join(names), did_you_mean(stage_name, names))
        raise ExperimentError(experiment.name, [problem])
    reason = "it only measures"
    for stage in experiment.stages if stage_name is None else [experiment.stage(stage_name)]:
        expansion = expand_stage(experiment, stage, _assumed(experiment))
        requests = expansion.requests if isinstance(expansion, Deferred) else expansion
        trained = [request for request in requests if request.spec.training.steps and stage.kind != "evaluate"]
        if trained:
            return trained[0]
        reason = expansion.reason if isinstance(expansion, Deferred) else reason
    where = stage_name or experiment.name
    raise ExperimentError(
        experiment.name, [ConfigError("--stage", where, "a stage whose training is known before anything has run", reason)]
    )


def _assumed(experiment: Experiment) -> Knowledge:
    """Takes data sets and checkpoints as given: only sizes matter here."""
    datasets = {name: _dataset(name, data, experiment) for name, data in experiment.data.items()}
    origins = [parse_origin(stage.source) for stage in experiment.stages if stage.source is not None]
    return Knowledge(datasets, checkpoints={origin.name: "0" * 64 for origin in origins if origin.kind == "checkpoint"})


def _dataset(name: str, data: DataSpec, experiment: Experiment) -> DatasetInfo:
    if data.procedural is not None:
        species = tuple(species_name(index, data.procedural.seed) for index in data.procedural.species)
        images = len(species) * (data.procedural.individuals - data.procedural.held_out)
        return DatasetInfo(name, "assumed", species, {"train": images})
    named = {species for stage in experiment.stages if stage.data == name for species in _species_of(stage)}
    return DatasetInfo(name, "assumed", tuple(sorted(named)) or ("any",))


def _species_of(stage: AnyStage) -> tuple[str, ...]:
    return getattr(stage, "species", None) or ()


def workload(request: RunRequest, experiment: Experiment, device: torch.device, *, random_weights: bool) -> Workload:
    """Builds the model and random pictures of the right size.

    Args:
        request: The run.
        experiment: To which it belongs.
        device: Where to compute.
        random_weights: Measure frozen networks whose weights are missing with random ones.

    Raises:
        WeightsMissingError: They are missing and `random_weights` is off.
    """
    spec = request.spec
    backbones = backbones_or_untrained(spec.objective, device, allow_random=random_weights)
    model = G3DR(spec.model).to(device)
    data = _dataset(request.data_uri, experiment.data[experiment.stage(request.stage).data], experiment)
    images = data.rows.get("train", 0) // (len(data.species) if request.species else 1)
    return Workload(
        model=model,
        objective=spec.objective,
        backbones=backbones,
        config=spec.training,
        batches=_random_batches(request, data.species),
        device=device,
        world_size=request.workers,
        images=images * (2 if spec.training.flip else 1),
    )


def _random_batches(request: RunRequest, species: tuple[str, ...]) -> Callable[[], Batch]:
    side, count = request.spec.model.generator.resolution, request.spec.training.batch_size // request.workers
    pictures, chance = max(count, _PICTURES), np.random.default_rng(0)
    rows = DecodedRows(
        images=torch.from_numpy(chance.integers(0, 256, (pictures, 3, side, side), dtype=np.uint8)),
        depths=torch.from_numpy(chance.uniform(4, 6, (pictures, 1, side, side)).astype(np.float32)),
        keys=tuple(str(number) for number in range(pictures)),
        species=tuple(species[number % len(species)] for number in range(pictures)),
        views=((),) * pictures,
    )
    return lambda: rows.batch(chance.integers(0, pictures, count), chance.random(count) < 1 / 2)
