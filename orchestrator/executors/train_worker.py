"""What each worker of a distributed run executes."""

import json
from typing import Any

import ray.train
from ray.train.torch import get_device, prepare_model

from orchestrator.computing.worker import Claim, Placement, compute_run
from orchestrator.runs import RunRequest


def train_worker(config: dict[str, Any]) -> None:
    """Runs in each worker: its share of every batch."""
    request = RunRequest.from_json(json.loads(config["request"]))
    context = ray.train.get_context()
    placement = Placement(
        rank=context.get_world_rank(),
        world_size=context.get_world_size(),
        cpus=request.cpus_per_worker,
        gpus=request.gpus_per_worker,
        device=str(get_device()),
        wrap=prepare_model,
    )
    for progress in compute_run(request, config["root"], placement, Claim(config["token"], config["attempt"])):
        ray.train.report(progress.to_report())
