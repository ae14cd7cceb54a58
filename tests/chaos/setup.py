"""Carries faults out on a cluster and a store of this machine. For another setup, write a class with the same `inject`."""

import secrets
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from chaos.cluster import Cluster
from chaos.injector import Injection
from chaos.outages import Gate
from chaos.processes import called, having, kill

ORCHESTRATOR = "G3DR_CHAOS_ORCHESTRATOR"
TRAINING_WORKERS = ("ray::RayTrainWorker",)
TRIAL_ACTORS = ("ray::ImplicitFunc", "ray::ResourceTrainable", "ray::InlineRun")  # a distributed run's driver; an inline actor
_VICTIM_SECONDS = 60


@dataclass
class LocalSetup:
    """A cluster, a gate in front of the object store, and the command that is disturbed.

    Attributes:
        cluster: Where it computes.
        gate: What stands before the store.
        command: What follows `python -m`.
        folder: For the command's output.
        starts: How often the command was started.
    """

    cluster: Cluster
    gate: Gate
    command: tuple[str, ...]
    folder: Path
    starts: int = 0
    process: subprocess.Popen | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._mark = secrets.token_hex(8)

    def start(self) -> None:
        """Starts the command, as a user does again after a crash."""
        self.starts += 1
        command = [sys.executable, "-m", *self.command]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, env={**self.cluster.for_drivers, ORCHESTRATOR: self._mark}, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def log(self) -> Path:
        """What the newest command printed."""
        return self.folder / f"orchestrator-{self.starts}.log"

    def end(self) -> None:
        """Ends the command, if it runs."""
        kill(self._orchestrators())
        if self.process is not None:
            self.process.wait(timeout=10)

    def inject(self, injection: Injection) -> str:
        """Carries one fault out; returns what was hit, or an empty string if there was no victim."""
        if injection.fault == "store":
            self.gate.away(injection.seconds, injection.absence)  # type: ignore[arg-type]
            return "object store"
        if injection.fault == "orchestrator":
            self.end()
            self.start()
            return "orchestrator"
        if injection.fault == "node":
            return self.replace_node(injection)
        return self._kill_actor(injection)

    def _kill_actor(self, injection: Injection) -> str:
        names = TRAINING_WORKERS if injection.fault == "training worker" else TRIAL_ACTORS
        deadline = time.monotonic() + _VICTIM_SECONDS
        while not (victims := called(self.cluster.processes, *names)):
            if time.monotonic() > deadline or self.process is None or self.process.poll() is not None:
                return ""
            time.sleep(0.1)
        victim = victims[int(injection.choice * len(victims))]
        name = " ".join(victim.cmdline())
        kill([victim])
        return name.strip()

    def replace_node(self, injection: Injection) -> str:
        """The machine vanishes with all that is on it, and another one comes."""
        name = self.cluster.nodes[int(injection.choice * len(self.cluster.nodes))]
        ended = self.cluster.kill_node(name)
        self.cluster.add_node(wait=False)
        return f"node with {ended} processes"

    def _orchestrators(self) -> set[psutil.Process]:
        return having(ORCHESTRATOR, self._mark)

    def actors(self) -> list[str]:
        """Returns the names of the processes that still are actors of ours."""
        found = called(self.cluster.processes, *TRAINING_WORKERS, *TRIAL_ACTORS, "ray::TrainController")
        return [" ".join(process.cmdline()) for process in found]
