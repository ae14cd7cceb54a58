"""A Ray cluster of several nodes on this machine: own ports, own folder, own token; processes are ended by their id only."""

import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from s3 import free_port

from chaos.processes import called, having, kill, kill_all
from orchestrator.cluster.connection import PATIENCE

START_SECONDS = 180
RAY = Path(sys.executable).parent / "ray"
CLUSTER, NODE = "G3DR_CHAOS_CLUSTER", "G3DR_CHAOS_NODE"
OBJECT_STORE_BYTES = 100 * 2**20
AGENT_PORTS = ("dashboard-agent-listen", "dashboard-agent-grpc", "metrics-export", "runtime-env-agent")
ANY_WORKER_PORT = ("--min-worker-port=0", "--max-worker-port=0")
_ATTEMPTS = 4
_TIMINGS = {  # a dead node is noticed within seconds, a slow one is left alone
    "RAY_health_check_initial_delay_ms": "5000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_failure_threshold": "3",
    **PATIENCE,
}


@dataclass
class Cluster:
    """A head that computes nothing, and nodes that do.

    Attributes:
        folder: Ray's files and HOME; a short path, as sockets need.
        cpus: Logical CPUs of each node.
        environment: What every process of the cluster gets.
        address: Where drivers connect.
        dashboard: URL of the head's dashboard.
        nodes: Names of the nodes that live.
    """

    folder: Path
    cpus: int = 2
    environment: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    dashboard: str = ""
    nodes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mark, self._made, self._token = secrets.token_hex(8), 0, secrets.token_hex(32)
        self._started: list[subprocess.Popen] = []

    @property
    def for_drivers(self) -> dict[str, str]:
        """The environment that takes a driver to this cluster, and all other Ray variables of this process out of the way."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_", "AWS_"))}
        return {
            **kept,
            "HOME": str(self.folder),
            "RAY_AUTH_MODE": "token",  # an open port would let every user of the machine run code
            "RAY_AUTH_TOKEN": self._token,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ADDRESS": self.address,
            "RAY_API_SERVER_ADDRESS": self.dashboard,
            "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
            "OMP_NUM_THREADS": "1",
            CLUSTER: self._mark,
            **_TIMINGS,
            **self.environment,
        }

    @property
    def for_head(self) -> dict[str, str]:
        """What only the head gets."""
        return {}

    @contextmanager
    def running(self, nodes: int = 2) -> Iterator["Cluster"]:
        """Runs the head and so many nodes until the block ends."""
        try:
            self._start_head()
            for _ in range(nodes):
                self.add_node()
            yield self
        finally:
            kill_all(CLUSTER, self._mark)
            for process in self._started:
                process.wait(timeout=10)

    @property
    def processes(self) -> set[psutil.Process]:
        """All processes of the cluster and of the drivers on it."""
        return having(CLUSTER, self._mark)

    def processes_of(self, node: str) -> set[psutil.Process]:
        """The processes of one node: its raylet, agents and workers."""
        return having(NODE, node)

    def add_node(self, *, wait: bool = True) -> str:
        """Starts another node and returns its name; two at the same time would choose the same names for their sockets."""
        if self.nodes:
            self._wait_for(self.nodes[-1])
        self._made += 1
        name = f"{self._mark}-node{self._made}"
        self._start_node(name)
        self.nodes.append(name)
        if wait:
            self._wait_for(name)
        return name

    def _start_node(self, name: str) -> None:
        self._ray("start", f"--address={self.address}", f"--num-cpus={self.cpus}", node=name)

    def kill_node(self, name: str) -> int:
        """Ends a node's raylet and all its children at once, as if the machine had vanished; returns how many processes that were."""
        victims = self.processes_of(name)
        kill(victims)
        kill_all(NODE, name)  # whatever was being started at that moment
        self.nodes.remove(name)
        return len(victims)

    def _wait_for(self, node: str) -> None:
        """Waits until a node runs; starts it again if it gives up, as Ray does after thirty seconds."""
        log, deadline, attempts = self._log(node), time.monotonic() + START_SECONDS, 1
        while "Ray runtime started" not in log.read_text(encoding="utf-8"):
            has_ended = not called(self.processes_of(node), "start --address")
            if time.monotonic() > deadline or (has_ended and attempts == _ATTEMPTS):
                raise TimeoutError(f"node {node} did not start: {log.read_text(encoding='utf-8')}")
            if has_ended:
                kill_all(NODE, node)
                self._start_node(node)
                attempts += 1
            time.sleep(0.3)

    def _answers(self) -> bool:
        """Tells whether the dashboard is there; it starts last, and without it Ray never frees a stopped trial's workers."""
        request = urllib.request.Request(f"{self.dashboard}/api/version", headers={"Authorization": f"Bearer {self._token}"})
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def more_for_head(self, port: int) -> dict[str, object]:
        """Returns further options of the head node, which listens on `port`."""
        return {}

    def _start_head(self) -> None:
        """Starts the head; again if it gives up, as Ray does where its agents take more than fifteen seconds to start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        deadline, log = time.monotonic() + START_SECONDS, self._begin_head()
        while (address := _address_in(log)) is None or not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no head after {START_SECONDS} s: {log.read_text()}")
            if self._started[-1].poll() is not None:
                kill_all(CLUSTER, self._mark)
                log = self._begin_head()
            time.sleep(0.2)
        self.address = address

    def _begin_head(self) -> Path:
        port, dashboard = free_port(), free_port()
        self.dashboard = f"http://127.0.0.1:{dashboard}"
        options = {
            "port": port,
            "include-dashboard": "true",
            "dashboard-host": "127.0.0.1",
            "dashboard-port": dashboard,
            "ray-client-server-port": free_port(),
            "temp-dir": self.folder / "r",
            "num-cpus": 0,
            **self.more_for_head(port),
        }
        return self._ray("start", "--head", *(f"--{name}={value}" for name, value in options.items()), node=f"{self._mark}-head")

    def _ray(self, *words: str, node: str) -> Path:
        # A raylet that leaves ports to its agents waits fifteen seconds for them to write them down, and dies on a busy machine.
        ports = [f"--{name}-port={free_port()}" for name in AGENT_PORTS]
        command = [RAY, *words, "--block", f"--object-store-memory={OBJECT_STORE_BYTES}", *ANY_WORKER_PORT, *ports]
        environment = {**self.for_drivers, NODE: node, **(self.for_head if "--head" in words else {})}
        environment.pop("RAY_ADDRESS")
        with self._log(node).open("w") as log:
            self._started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
        return self._log(node)

    def _log(self, node: str) -> Path:
        return self.folder / f"{node}.log"


def _address_in(log: Path) -> str | None:
    """Ray's head says which address other nodes are to use, once it runs."""
    _, found, rest = log.read_text(encoding="utf-8").partition("ray start --address='")
    return rest.partition("'")[0] if found else None
