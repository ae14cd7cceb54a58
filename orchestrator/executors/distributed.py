"""The distributed executor: a Tune driver that holds no CPU to speak of starts a TorchTrainer for its run.

Workers synchronise gradients with gloo on CPUs and nccl on GPUs. They keep their state in the ledger, so when Ray
Train restarts a worker group after a crash or a preemption, it continues from the last checkpoint there.
"""

import json
from typing import Any

import ray.train
from ray import tune
from ray.train.torch import TorchTrainer, get_device, prepare_model
from ray.tune.integration.ray_train import TuneReportCallback

from orchestrator.runs import RunRequest
from orchestrator.worker import Placement, compute_run

WORKER_START_TIMEOUT_SECONDS = 300
MAX_FAILURES = 3
MAX_CONTROLLER_FAILURES = 2


def drive(config: dict[str, Any]) -> None:
    """Runs in the Tune trial: trains one run with several workers and passes their reports on."""
    request = RunRequest.from_json(json.loads(config["request"]))
    resources = {"CPU": request.cpus_per_worker}
    if request.gpus_per_worker:
        resources["GPU"] = request.gpus_per_worker
    trainer = TorchTrainer(
        train_worker,
        train_loop_config=config,
        scaling_config=ray.train.ScalingConfig(
            num_workers=request.workers, use_gpu=request.gpus_per_worker > 0, resources_per_worker=resources
        ),
        run_config=ray.train.RunConfig(
            name=f"{request.spec.id}-{tune.get_context().get_trial_id()}",
            storage_path=config["scratch"],
            failure_config=ray.train.FailureConfig(max_failures=MAX_FAILURES, controller_failure_limit=MAX_CONTROLLER_FAILURES),
            callbacks=[TuneReportCallback()],
        ),
    )
    trainer.fit()


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
    for progress in compute_run(request, config["root"], placement):
        ray.train.report(progress.to_report())
