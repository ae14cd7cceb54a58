"""The distributed executor: a Tune driver that holds no CPU to speak of starts a TorchTrainer for its run.

Workers synchronise gradients with gloo on CPUs and nccl on GPUs. They keep their state in the ledger, so when Ray
Train restarts a worker group after a crash or a preemption, with as many workers as there is room for, it continues
from the last checkpoint there.
"""

import json
import os
from typing import Any

from ray import tune

from orchestrator.executors.places import wait_for_machines
from orchestrator.planning.capacity import resources_of
from orchestrator.runs import RunRequest

MAX_CONTROLLER_FAILURES = 2
START_SECONDS = 300
"""How long Ray Train waits for the processes of its workers; importing torch on a busy machine takes a while."""


def drive(config: dict[str, Any]) -> None:
    """Runs in the Tune trial: trains one run with several workers and passes their reports on."""
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(START_SECONDS))
    import ray.train  # noqa: PLC0415  (brings torch, which the process that starts the trial does not need)
    from ray.train.torch import TorchTrainer  # noqa: PLC0415
    from ray.tune.integration.ray_train import TuneReportCallback  # noqa: PLC0415

    from orchestrator.executors.train_worker import train_worker  # noqa: PLC0415

    request = RunRequest.from_json(json.loads(config["request"]))
    wait_for_machines(resources_of(request), config["placement_seconds"])
    failures = ray.train.FailureConfig(
        max_failures=config["retries"],
        max_preemption_failures=-1 if config["preemptions"] is None else config["preemptions"],
        controller_failure_limit=MAX_CONTROLLER_FAILURES,
    )
    trainer = TorchTrainer(
        train_worker,
        train_loop_config=config,
        scaling_config=_scaling(request),
        run_config=ray.train.RunConfig(
            name=f"{request.spec.id}-{tune.get_context().get_trial_id()}",
            storage_path=config["scratch"],
            failure_config=failures,
            callbacks=[TuneReportCallback()],
        ),
    )
    trainer.fit()


def _scaling(request: RunRequest) -> Any:
    import ray.train  # noqa: PLC0415

    resources = {"CPU": request.cpus_per_worker}
    if request.gpus_per_worker:
        resources["GPU"] = request.gpus_per_worker
    least = request.min_workers or request.workers
    return ray.train.ScalingConfig(
        num_workers=request.workers if least == request.workers else (least, request.workers),
        use_gpu=request.gpus_per_worker > 0,
        resources_per_worker=resources,
    )
