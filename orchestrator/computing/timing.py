"""Times the recipes of a timing stage against each other and writes the record to the ledger."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from g3dr.backbones import load_backbones
from g3dr.model import CONDITIONING_PREFIXES, G3DR
from g3dr.profiling.interleaved import WARM_UP, TimedTraining, interleaved_seconds
from g3dr.training.checkpoint import load_model
from orchestrator.checkpoints import read_initial
from orchestrator.computing.batches import batches_from
from orchestrator.computing.placement import Placement
from orchestrator.ledger import Ledger
from orchestrator.planning.machines import machine_kind
from orchestrator.runs import RunRequest
from orchestrator.timing_spec import TimedRecipe, TimingSpec

KIND = "timing"


def time_run(request: RunRequest, timing: TimingSpec, ledger: Ledger, device: torch.device) -> dict[str, Any]:
    """Times every recipe, `timing.rounds` times in turns, and writes the record where an evaluation would stand.

    Raises:
        G3drError: The checkpoint, the data or a network's weights are missing or do not fit.
    """
    trainings = [_training(request, recipe, timing.rounds, ledger, device) for recipe in timing.recipes]
    seconds = interleaved_seconds(trainings, timing.rounds, device, np.random.default_rng(timing.seed))
    found = {recipe.name: column for recipe, column in zip(timing.recipes, seconds, strict=True)}
    record = {
        "id": request.measurement,
        "run": request.spec.id,
        "kind": KIND,
        "spec": timing.to_json(),
        "machine": machine_kind(request.gpus_per_worker),
        "threads": torch.get_num_threads(),
        "clock": "processor" if device.type == "cpu" else "wall",
        "seconds": found,
        "metrics": {f"{name}_seconds_per_step": float(np.median(column)) for name, column in found.items()},
    }
    ledger.write_evaluation(request.spec.id, request.measurement, record, b"")
    return record


def _training(request: RunRequest, recipe: TimedRecipe, rounds: int, ledger: Ledger, device: torch.device) -> TimedTraining:
    own = _request(request, recipe, rounds)
    model = G3DR(request.spec.model)
    if request.initial_path is None:
        model.initialize(request.spec.seed)
    else:
        load_model(model, read_initial(request.initial_path, ledger.store).model, request.initial_path, may_lack=CONDITIONING_PREFIXES)
    images = sum(shard.rows for shard in request.selection.shards()) * (2 if recipe.training.flip else 1)
    return TimedTraining(
        name=recipe.name,
        model=model.to(device),
        objective=recipe.objective,
        backbones=load_backbones(recipe.objective, str(device)),
        config=recipe.training,
        batches=batches_from(own, Placement(), 0),
        images=images,
    )


def _request(request: RunRequest, recipe: TimedRecipe, rounds: int) -> RunRequest:
    """The training whose batches are read: as many as there are rounds."""
    training = replace(recipe.training, steps=rounds + WARM_UP)
    return replace(request, spec=replace(request.spec, objective=recipe.objective, training=training))
