"""Connects to Ray: to the cluster that RAY_ADDRESS or a Ray job names, else to one of our own on this machine.

Environment variables that quieten Ray or make a hang end are set here, before ray is imported.
"""

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCAL_SPARE_CPUS = 1
"""Logical CPUs of a local cluster beyond the machine's own: trial drivers and Ray Data tasks mostly wait."""

_OBJECT_STORE_BYTES = 512 * 2**20
_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune prints its tables even with verbose=0 otherwise
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # only rungs and the last report have the searched metric
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the ledger is the log
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the command instead of only this stage
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Tune's own snapshots are never read back
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    # Freed buffers of some megabytes are kept: fresh ones cost page faults, a tenth of a training step on one CPU.
    "MALLOC_MMAP_THRESHOLD_": "1000000000",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
}


def local_capacity() -> tuple[float, float]:
    """Returns the logical CPUs and the GPUs that a cluster on this machine would have."""
    return float((os.cpu_count() or 1) + LOCAL_SPARE_CPUS), float(_visible_gpus())


def _visible_gpus() -> int:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip()])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*"))) if Path("/proc/driver/nvidia/gpus").exists() else 0


def names_cluster() -> bool:
    """Tells whether the environment names a running cluster (RAY_ADDRESS, set inside every Ray job)."""
    return bool(os.environ.get("RAY_ADDRESS"))


@contextmanager
def connected() -> Iterator[tuple[float, float]]:
    """Connects to Ray for the length of a with block; yields the cluster's CPUs and GPUs.

    A cluster of our own is ended with the block; a named one is only left. An existing connection is used as it is.
    """
    _set_environment()
    import ray  # noqa: PLC0415  (after the environment is set)

    if ray.is_initialized():
        yield _cluster_capacity()
        return
    _start()
    try:
        yield _cluster_capacity()
    finally:
        ray.shutdown()


def _set_environment() -> None:
    """Sets what Ray reads when it is imported; what the user has set stays."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if not names_cluster():
        # An open Ray port lets every user of the machine run code (CVE-2023-48022).
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _start() -> None:
    import ray  # noqa: PLC0415

    for name in ("ray.data", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if names_cluster():
        ray.init(logging_level="error", log_to_driver=False)
        return
    port = _free_port()
    ray.init(
        address="local",
        num_cpus=int(local_capacity()[0]),
        include_dashboard=True,  # without it Ray never frees the workers of a stopped trial (ray issue 54305)
        dashboard_host="127.0.0.1",
        dashboard_port=port,
        # Train's cleaner of placement groups looks for "the" Ray of the machine otherwise, and dies where there are two.
        runtime_env={"env_vars": {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{port}"}},
        object_store_memory=_OBJECT_STORE_BYTES,
        logging_level="error",
        log_to_driver=False,
        _temp_dir=_temporary_folder(),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _temporary_folder() -> str:
    """Ray's sockets need a short path (107 bytes at most), and each user an own folder."""
    return os.environ.get("G3DR_RAY_TEMP") or str(Path(tempfile.gettempdir()) / f"g3dr-ray-{os.getuid()}")


def _cluster_capacity() -> tuple[float, float]:
    import ray  # noqa: PLC0415

    resources = ray.cluster_resources()
    return float(resources.get("CPU", 0)), float(resources.get("GPU", 0))
