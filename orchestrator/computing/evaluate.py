"""Measures runs of the ledger; how is in `computing.evaluation`."""

from dataclasses import dataclass
from typing import Any

import torch

from g3dr.backbones import load_backbones
from g3dr.errors import CheckpointError
from g3dr.model import G3DR
from g3dr.training.checkpoint import Checkpoint, load_model
from orchestrator.computing.evaluation import Evaluator, evaluated
from orchestrator.computing.evaluation.record import metrics_of, scope_of
from orchestrator.ledger import Ledger
from orchestrator.runs import RunRequest


@dataclass(frozen=True)
class StepNumbers:
    """What is measured of one of a run's checkpoints.

    Attributes:
        images: Source images.
        views: Other views of each.
        metrics: By name, as in the record of an evaluation.
    """

    images: int
    views: int
    metrics: dict[str, float]


def evaluator_for(request: RunRequest, ledger: Ledger, device: torch.device) -> Evaluator:
    """Returns what measures a run as `request.evaluation` says.

    Raises:
        CheckpointError: The request asks for no evaluation.
        WeightsMissingError: The weights of a network of the objective, which is to be measured, are nowhere.
    """
    spec, selection = request.evaluation, request.evaluation_selection
    if spec is None or selection is None:
        raise CheckpointError(f"run {request.spec.id} asks for no evaluation")
    objective = load_backbones(request.spec.objective, str(device)) if spec.losses else None
    return Evaluator(spec, selection, request.spec.model.generator.resolution, device, ledger.store, objective=objective)


def evaluate_run(request: RunRequest, ledger: Ledger, device: torch.device, evaluator: Evaluator | None = None) -> dict[str, Any]:
    """Measures a run's newest checkpoint as `request.evaluation` says and writes the record to the ledger.

    Args:
        request: The run.
        ledger: Where it is.
        device: Where to compute.
        evaluator: What has measured earlier checkpoints of it; None makes a new one.

    Raises:
        CheckpointError: The run has no readable checkpoint.
        DataError: The dataset is missing or damaged.
    """
    checkpoint = ledger.latest_checkpoint(request.spec.id, optimizer=False)
    if checkpoint is None:
        raise CheckpointError(f"run {request.spec.id} has no readable checkpoint: `g3dr run` the experiment again")
    evaluator = evaluator or evaluator_for(request, ledger, device)
    part = evaluator.measure(_model(request, checkpoint, device), scope=scope_of(evaluator.spec))
    found = evaluated(request.spec.id, evaluator, part)
    found.write(ledger)
    return found.record


def step_metrics(request: RunRequest, checkpoint: Checkpoint, evaluator: Evaluator) -> StepNumbers:
    """Measures one checkpoint of a run: the metrics of its evaluation, without pictures."""
    part = evaluator.measure(_model(request, checkpoint, evaluator.device))
    return StepNumbers(len(part.objects), part.views, metrics_of(evaluator, part))


def _model(request: RunRequest, checkpoint: Checkpoint, device: torch.device) -> G3DR:
    model = G3DR.blank(request.spec.model)
    load_model(model, checkpoint.model, f"run {request.spec.id}")
    return model.to(device).eval()
