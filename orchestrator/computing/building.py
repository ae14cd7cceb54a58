"""Builds what a run trains with: model, losses, optimizer."""

import torch

from g3dr.backbones import load_backbones
from g3dr.losses import FeatureStore, Objective
from g3dr.losses.targets import looks_at_images
from g3dr.model import CONDITIONING_PREFIXES, G3DR
from g3dr.training.checkpoint import load_model
from g3dr.training.optimization import Optimization
from g3dr.training.trainer import Trainer
from orchestrator.checkpoints import read_initial
from orchestrator.computing.networks import make_network_trainer
from orchestrator.computing.placement import Placement
from orchestrator.runs import RunRequest
from orchestrator.store import Store


def make_trainer(request: RunRequest, root: Store, placement: Placement, device: torch.device) -> Optimization:
    """Builds what a run trains, with its initial weights, and everything that trains it.

    Raises:
        G3drError: A checkpoint, a dataset or a network's weights are missing or do not fit.
    """
    if request.spec.network is not None:
        return make_network_trainer(request, request.spec.network, root, placement, device)
    return _make_trainer(request, root, placement, device)


def _make_trainer(request: RunRequest, root: Store, placement: Placement, device: torch.device) -> Trainer:
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
        place=placement.place(device),
    )


def _feature_store(request: RunRequest) -> FeatureStore | None:
    """Keeps features of the training images between steps, where a network looks at them and memory is given."""
    spec, limit = request.spec, request.spec.training.feature_memory
    if limit == 0 or not looks_at_images(spec.objective, spec.model.conditioning):
        return None
    rows = sum(shard.rows for shard in request.selection.shards())
    return FeatureStore(rows * (2 if spec.training.flip else 1), limit * 2**20)
