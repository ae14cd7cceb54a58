"""Builds what a run trains with: model, losses, optimizer, and its batches in order."""

from collections.abc import Iterator

import torch

from g3dr.backbones import load_backbones
from g3dr.losses import FeatureStore, Objective
from g3dr.losses.targets import looks_at_images
from g3dr.model import CONDITIONING_PREFIXES, G3DR
from g3dr.training.checkpoint import load_model
from g3dr.training.trainer import Trainer
from g3dr.types import Batch
from orchestrator.checkpoints import read_initial
from orchestrator.computing.placement import Placement
from orchestrator.runs import RunRequest
from orchestrator.shards.streaming import stream
from orchestrator.store import Store


def make_trainer(request: RunRequest, root: Store, placement: Placement, device: torch.device) -> Trainer:
    """Builds the model with its initial weights and everything that trains it.

    Raises:
        G3drError: A checkpoint, a dataset or a network's weights are missing or do not fit.
    """
    spec = request.spec
    model = G3DR(spec.model)
    if request.initial_path is None:
        model.initialize(spec.seed)
    else:
        initial = read_initial(request.initial_path, root)
        load_model(model, initial.model, request.initial_path, may_lack=CONDITIONING_PREFIXES)
    networks = load_backbones(spec.objective, str(device))
    objective = Objective(spec.objective, networks, _feature_store(request), log_forms=spec.training.log_forms)
    return Trainer(
        model.to(device),
        objective,
        spec.training,
        seed=spec.seed,
        device=device,
        rank=placement.rank,
        world_size=placement.world_size,
        wrap=placement.wrap,
    )


def _feature_store(request: RunRequest) -> FeatureStore | None:
    """Keeps features of the training images between steps, where a network looks at them and memory is given."""
    spec, limit = request.spec, request.spec.training.feature_memory
    if limit == 0 or not looks_at_images(spec.objective, spec.model.conditioning):
        return None
    rows = sum(shard.rows for shard in request.selection.shards())
    return FeatureStore(rows * (2 if spec.training.flip else 1), limit * 2**20)


def batches_from(request: RunRequest, placement: Placement, start: int) -> Iterator[Batch]:
    """Returns this worker's part of all batches from step `start` on."""
    settings = request.spec.training
    return stream(
        request.selection,
        seed=request.spec.seed,
        start_step=start,
        steps=settings.steps - start,
        batch_size=settings.batch_size,
        rank=placement.rank,
        world_size=placement.world_size,
        flip=settings.flip,
        resolution=request.spec.model.generator.resolution,
    )
