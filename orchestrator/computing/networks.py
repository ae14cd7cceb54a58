"""Trains and measures networks of the front end, where `building` and `evaluate` do it for G3DR."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from g3dr.config import TrainingConfig
from g3dr.errors import CheckpointError
from g3dr.networks import NetworkConfig, kind_of, make_learner
from g3dr.training.checkpoint import load_model
from g3dr.training.learning import Assessment, Learner
from g3dr.training.network_trainer import NetworkTrainer
from g3dr.types import Batch
from orchestrator.computing.batches import batches_from, held_out_batches
from orchestrator.computing.placement import Placement
from orchestrator.ledger import Ledger
from orchestrator.network_weights import open_network
from orchestrator.runs import RunRequest
from orchestrator.store import Store

KIND = "network"
"""Marks the record of such a measurement in the ledger."""

_SAMPLE_BATCHES = 64


def make_network_trainer(
    request: RunRequest, network: NetworkConfig, root: Store, placement: Placement, device: torch.device
) -> NetworkTrainer:
    """Builds the network with its initial weights and everything that trains it.

    Raises:
        G3drError: A checkpoint, a dataset or a network's weights are missing or do not fit.
    """
    spec = request.spec
    learner = _learner(request, network, root)
    if request.initial_path is None:
        learner.initialize(spec.seed)
    else:
        load_model(learner.network, open_network(request.initial_path, root, kind_of(network)).tensors, request.initial_path)
    return NetworkTrainer(
        learner.to(device),
        spec.training,
        seed=spec.seed,
        sample=lambda: _sample(request, device),
        place=placement.place(device),
    )


def _learner(request: RunRequest, network: NetworkConfig, root: Store) -> Learner:
    return make_learner(network, request.spec.training, _autoencoder(request.autoencoder_path, root))


def _autoencoder(path: str | None, root: Store) -> nn.Module | None:
    """Reads the autoencoder of a denoiser and freezes it."""
    if path is None:
        return None
    found = open_network(path, root, "autoencoder")
    autoencoder = make_learner(found.config, TrainingConfig()).network
    load_model(autoencoder, found.tensors, path)
    return autoencoder.eval().requires_grad_(requires_grad=False)


def _sample(request: RunRequest, device: torch.device) -> Iterator[Batch]:
    """The first batches of a training, whole, whoever asks."""
    return (batch.to(device) for batch in islice(batches_from(request, Placement(), 0), _SAMPLE_BATCHES))


def measure_network(request: RunRequest, network: NetworkConfig, ledger: Ledger, device: torch.device) -> dict[str, Any]:
    """Measures a run's newest checkpoint on the held-out split and writes the record where an evaluation would stand.

    Raises:
        CheckpointError: The run has no readable checkpoint.
        DataError: The dataset is missing or damaged.
    """
    run, spec = request.spec.id, request.evaluation
    checkpoint = ledger.latest_checkpoint(run, optimizer=False)
    if checkpoint is None or spec is None:
        raise CheckpointError(f"run {run} has no readable checkpoint: `g3dr run` the experiment again")
    learner = _learner(request, network, ledger.store)
    load_model(learner.network, checkpoint.model, f"run {run}")
    learner.to(device).eval()
    with torch.no_grad():
        found = learner.assess(_on(device, held_out_batches(request, spec.images)), spec.seed, lambda _: None)
    record = {
        "id": request.measurement,
        "run": run,
        "kind": KIND,
        "network": kind_of(network),
        "spec": spec.to_json(),
        "images": len(found.keys),
        "metrics": {name: float(value) for name, value in found.metrics.items()},
        "per_image": {
            "key": list(found.keys),
            "species": list(found.species),
            **{name: [float(value) for value in column] for name, column in found.per_image.items()},
        },
        "sheets": list(found.pictures),
        "extractor": {"name": found.extractor, "sha256": found.extractor_sha256} if found.extractor else None,
    }
    ledger.write_evaluation(run, request.measurement, record, _packed(found))
    return record


def _on(device: torch.device, batches: Iterable[Batch]) -> Iterator[Batch]:
    return (batch.to(device) for batch in batches)


def _packed(found: Assessment) -> bytes:
    """The sheets in the order of the record's `sheets`; captions may hold any character, names of tensors may not."""
    data: bytes = save({f"sheet_{number}": torch.from_numpy(sheet.copy()) for number, sheet in enumerate(found.pictures.values())})
    return data
