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
from orchestrator.planning.capacity import Resources, resources_of
from orchestrator.runs import RunRequest

MAX_CONTROLLER_FAILURES = 2
START_SECONDS, ELASTIC_START_SECONDS = 300, 30
"""How long Ray Train waits for room for its workers. Of an elastic run it chooses the number by what it heard up to 20 s ago, perhaps of a
node that is gone; the sooner it gives that up, the sooner it chooses again."""

_START_TIMEOUT = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
_ASKED_FOR = os.environ.get(_START_TIMEOUT)


def drive(config: dict[str, Any]) -> None:
    """Runs in the Tune trial: trains one run with several workers and passes their reports on."""
    request = RunRequest.from_json(json.loads(config["request"]))
    resources = resources_of(request)
    os.environ[_START_TIMEOUT] = _ASKED_FOR or str(_start_seconds(resources, config))
    import ray.train  # noqa: PLC0415  (brings torch, which the process that starts the trial does not need)
    from ray.train.torch import TorchTrainer  # noqa: PLC0415
    from ray.tune.integration.ray_train import TuneReportCallback  # noqa: PLC0415

    from orchestrator.executors.train_worker import train_worker  # noqa: PLC0415

    if not config["grows"]:  # else the workers themselves have to ask, or no machine comes
        wait_for_machines(resources, config["placement_seconds"])
    failures = ray.train.FailureConfig(
        max_failures=config["retries"],
        max_preemption_failures=-1 if config["preemptions"] is None else config["preemptions"],
        controller_failure_limit=MAX_CONTROLLER_FAILURES,
    )
    trainer = TorchTrainer(
        train_worker,
        train_loop_config=config,
        scaling_config=_scaling(resources),
        run_config=ray.train.RunConfig(
            name=f"{request.spec.id}-{tune.get_context().get_trial_id()}",
            storage_path=config["scratch"],
            failure_config=failures,
            callbacks=[TuneReportCallback()],
        ),
    )
    trainer.fit()


def _start_seconds(resources: Resources, config: dict[str, Any]) -> int:
    if resources.is_elastic:
        return ELASTIC_START_SECONDS
    return max(START_SECONDS, int(config["placement_seconds"])) if config["grows"] else START_SECONDS


def _scaling(asked: Resources) -> Any:
    import ray.train  # noqa: PLC0415

    resources = {"CPU": asked.cpus_per_worker}
    if asked.gpus_per_worker:
        resources["GPU"] = asked.gpus_per_worker
    return ray.train.ScalingConfig(
        num_workers=(asked.least_workers, asked.workers) if asked.is_elastic else asked.workers,
        use_gpu=asked.gpus_per_worker > 0,
        resources_per_worker=resources,
    )
