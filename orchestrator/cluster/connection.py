"""Connects to Ray: to the cluster that RAY_ADDRESS or a Ray job names, else to one of our own on this machine.

Environment variables that quieten Ray or make a hang end are set here, before ray is imported.
"""

import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from g3dr.errors import G3drError
from orchestrator.cluster.growth import with_growth
from orchestrator.cluster.tidying import LOG_BOUNDS, forget_sessions
from orchestrator.planning.capacity import Capacity, Node

LOCAL_SPARE_CPUS = 1
"""Logical CPUs of a local cluster beyond the machine's own: trial drivers and Ray Data tasks mostly wait."""

_OBJECT_STORE_BYTES = 512 * 2**20
_KNOCK_SECONDS = 10.0
_PAUSE_SECONDS = 5.0
PATIENCE = {
    # A raylet gives up agents that take longer to start, and itself with them: on a busy machine they do.
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_worker_register_timeout_seconds": "300",
}
"""For how long a raylet waits for processes that it has started; Ray's own 30 and 60 seconds are too short for a busy machine."""

_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune prints its tables even with verbose=0 otherwise
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # only rungs and the last report have the searched metric
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the ledger is the log
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the command instead of only this stage
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Tune's own snapshots are never read back
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # a node that dies would print its whole state here, ninety lines of it
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    # Freed buffers of some megabytes are kept: fresh ones cost page faults, a tenth of a training step on one CPU.
    "MALLOC_MMAP_THRESHOLD_": "1000000000",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
    **LOG_BOUNDS,
    **PATIENCE,
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


class ClusterError(G3drError):
    """A Ray cluster that does not start or does not answer."""


@contextmanager
def connected() -> Iterator[Capacity]:
    """Connects to Ray for the length of a with block; yields the cluster's machines, with those that it can grow to.

    A cluster of our own is ended with the block; a named one is only left. An existing connection is used as it is.

    Raises:
        ClusterError: It does not start, or does not answer.
        ConfigError: The file that says what the cluster can grow to does not.
    """
    _set_environment()
    import ray  # noqa: PLC0415  (after the environment is set)

    if ray.is_initialized():
        yield _machines()
        return
    with _own_sigterm():
        _start()
    try:
        yield _machines()
    finally:
        with _own_sigterm():
            ray.shutdown()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Gives SIGTERM back to who had it: Ray takes it for itself, and its native handler ends the process with a crash's trace."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as ended:
        if ended.code == signal.SIGTERM:  # it came while Ray had it
            _take_sigterm(ours)
            signal.raise_signal(signal.SIGTERM)
        raise
    _take_sigterm(ours)


def _take_sigterm(handler: Any) -> None:
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _set_environment() -> None:
    """Sets what Ray reads when it is imported; what the user has set stays."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if not names_cluster() and "ray" not in sys.modules:
        # An open Ray port lets every user of the machine run code (CVE-2023-48022). A Ray that was imported before has read its
        # settings, and makes a token of its own.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _start() -> None:
    import ray  # noqa: PLC0415

    for name in ("ray.data", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if names_cluster():
        address = os.environ["RAY_ADDRESS"]
        with _told(f"cannot connect to the Ray cluster at {address}, which RAY_ADDRESS names; is it up, and RAY_AUTH_TOKEN its token?"):
            _knock(address)
            ray.init(logging_level="error", log_to_driver=False)
        return
    with _told(f"Ray did not start on this machine; is it very busy, or full? Its logs are in {_temporary_folder()}/session_latest/logs"):
        forget_sessions(Path(_temporary_folder()))
        _start_patiently()


def _start_patiently() -> None:
    """Starts Ray here; on a busy machine the first try may time out (after 30 s, which no setting changes)."""
    import ray  # noqa: PLC0415

    try:
        _start_here()
    except Exception:  # whatever Ray raises
        ray.shutdown()
        time.sleep(_PAUSE_SECONDS)
        _start_here()


@contextmanager
def _told(sentence: str) -> Iterator[None]:
    """Makes what Ray raises when a cluster does not answer one sentence.

    Raises:
        ClusterError: With the sentence.
    """
    try:
        yield
    except Exception as error:  # Ray raises whatever it likes, a bare Exception as well
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ClusterError(f"{sentence} ({type(error).__name__}{': ' + lines[0] if lines else ''})") from error


def _knock(address: str) -> None:
    """Ray waits a minute for an address where nobody is, and then ends the process.

    Raises:
        OSError: Nobody answers at a `host:port`; other forms of address are left to Ray.
    """
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()


def _start_here() -> None:
    import ray  # noqa: PLC0415

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


def _machines() -> Capacity:
    now = cluster_nodes()
    return with_growth(now) if names_cluster() else now


def free_resources() -> Capacity:
    """Returns what nobody uses at this moment, all machines together."""
    import ray  # noqa: PLC0415

    free = ray.available_resources()
    return Capacity(float(free.get("CPU", 0)), float(free.get("GPU", 0)))


def cluster_nodes() -> Capacity:
    """Returns the machines that the connected cluster has at this moment."""
    import ray  # noqa: PLC0415

    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = tuple(Node(float(has.get("CPU", 0)), float(has.get("GPU", 0))) for has in alive)
    return Capacity.of(nodes, 0 if names_cluster() else LOCAL_SPARE_CPUS)
