"""A cluster and an object store on which experiments are run, left alone or disturbed."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from chaos.campaign import Campaign, Journal, leftovers
from chaos.cluster import Cluster
from chaos.counting import Counts, counting_environment, slow_down
from chaos.injector import Injection
from chaos.outages import Gate
from chaos.outcome import Outcome, held_leases, read_outcome
from chaos.server import store_server
from chaos.setup import LocalSetup
from chaos.study import Study
from orchestrator.store import open_store


@dataclass(frozen=True)
class Measured:
    """An experiment that came to its end.

    Attributes:
        outcome: What its ledger holds.
        counts: What was computed for it.
        journal: What happened meanwhile.
        left: What was left on the cluster.
        root: URI of its ledger.
        starts: How often its command was started.
    """

    outcome: Outcome
    counts: Counts
    journal: Journal
    left: dict[str, list[str]]
    root: str
    starts: int


@dataclass(frozen=True)
class Laboratory:
    """See `laboratory`."""

    cluster: Cluster
    gate: Gate
    folder: Path

    def run(
        self,
        study: Study,
        name: str,
        schedule: Sequence[Injection] = (),
        *,
        step_seconds: float = 0.0,
        say: Callable[[str], None] = print,
        make_setup: type[LocalSetup] = LocalSetup,
    ) -> Measured:
        """Runs `study` on a fresh root called `name`, under a schedule of faults.

        Args:
            study: The experiment.
            name: Of the root, below the bucket.
            schedule: Faults, in the order in which they come.
            step_seconds: A training step takes at least so long, without using the processor.
            say: Gets a line for each thing that happens.
            make_setup: What starts the experiment and carries the faults out.

        Raises:
            ChaosError: It hangs or gives up.
        """
        root = f"s3://chaos/{name}"
        file = study.write(self.folder / name)
        command = ("orchestrator", "run", str(file), "--root", root, "--yes")
        setup = make_setup(self.cluster, self.gate, command, self.folder / name)
        slow_down(self.folder / "counts", step_seconds)
        counts = Counts(self.folder / "counts", root)
        journal = Campaign(setup, counts, say).run(schedule)
        store = open_store(root)
        left = {**leftovers(setup), "leases": held_leases(store)}
        return Measured(read_outcome(store), counts.update(), journal, left, root, setup.starts)


@contextmanager
def laboratory(folder: Path, *, nodes: int = 2, cpus: int = 2) -> Iterator[Laboratory]:
    """Runs a store, a gate in front of it for everybody but this process, and a cluster, until the block ends.

    Args:
        folder: For all files; a short path, as sockets need.
        nodes: Of the cluster, beside its head.
        cpus: Logical CPUs of each node.
    """
    with store_server("chaos") as store, Gate(store.endpoint).running() as gate, patch.dict(os.environ, store.environment):
        environment = {
            **store.environment,
            "AWS_ENDPOINT_URL": gate.endpoint,
            **counting_environment(folder / "counts"),
        }
        with Cluster(folder, cpus, environment).running(nodes) as cluster:
            yield Laboratory(cluster, gate, folder)
