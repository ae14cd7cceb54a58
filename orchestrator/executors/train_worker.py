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
        report = progress.to_report()
        # Who is finished returns, and Ray Train gives back the machines that it has asked for. A trial that Tune ends is killed, and its
        # request keeps them for three minutes more; but one that fails has to end the others, who would wait for it.
        ray.train.report({**report, "done": report["done"] and progress.state != "finished"})
