"""A cluster that grows from nothing, submitted to over HTTP with a token; machines vanish, and for a while none can be had."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from chaos.counting import Counts, counting_environment, slow_down
from chaos.growing import GrowingCluster
from chaos.outcome import differences, held_leases, read_outcome
from chaos.processes import called
from chaos.server import store_server
from chaos.setup import TRAINING_WORKERS
from chaos.study import Study

from orchestrator.cluster.spot_notice import drain
from orchestrator.store import open_store

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(600)]
CADENCE, LONG, AT_ONCE = 5, 200, 3
AWAY = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN")
"""What takes a driver to a cluster instead of this machine."""
STUDY = Study(train=30, sweep=10, grid=0, trials=AT_ONCE, batch=AT_ONCE, cadence=CADENCE)


class Room:
    """A cluster that grows, a store, and the command that submits to it."""

    def __init__(self, folder, cluster, store):
        self.folder, self.cluster, self.store = folder, cluster, store
        self.most = 0

    @contextmanager
    def submitted(self, study, name):
        """Submits an experiment; yields the process that follows it and the root of its ledger."""
        file, root = study.write(self.folder / name), f"s3://chaos/{name}"
        where = ["--address", self.cluster.dashboard, "--root", root, "--working-dir", str(file.parent)]
        command = ["submit", str(file), *where, "--yes"]
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator", *command],
                env=self.cluster.for_drivers,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            yield process, root
            process.wait(timeout=300)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def wait_until(self, condition, seconds):
        """Waits for something, and notes how many machines there were meanwhile."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.most = max(self.most, len(self.cluster.machines()))
            assert time.monotonic() < deadline, f"not within {seconds} s"
            time.sleep(0.3)


@pytest.fixture(scope="module")
def room():
    folder = Path(tempfile.mkdtemp(prefix="g3g"))
    with store_server("chaos") as store, patch.dict(os.environ, store.environment):
        environment = {**store.environment, **counting_environment(folder / "counts")}
        cluster = GrowingCluster(folder, 1, environment, most=AT_ONCE + 1)  # half a machine is left to whoever reads data
        with cluster.running(nodes=0):
            yield Room(folder, cluster, store)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(room):
    """The outcome of the same experiment on this machine, left alone."""
    slow_down(room.folder / "counts", 0.0)
    file, root = STUDY.write(room.folder / "alone"), "s3://chaos/alone"
    here = {name: value for name, value in room.cluster.for_drivers.items() if name not in AWAY}
    with (room.folder / "alone.log").open("w") as log:
        command = [sys.executable, "-m", "orchestrator", "run", str(file), "--root", root, "--yes"]
        subprocess.run(command, env=here, stdout=log, stderr=log, check=True, timeout=240)
    return read_outcome(open_store(root))


def busiest(cluster):
    """The machine with a training worker on it; none where none trains."""
    return next((name for name, processes in cluster.machines().items() if called(processes, *TRAINING_WORKERS)), None)


def runs_begun(counts):
    counts.update()
    return {run for run, _ in counts.computed}


def newest_checkpoints(store):
    """The step of the newest checkpoint of each run that has one."""
    found = [path.split("/") for path in store.list("runs") if path.endswith("/checkpoint.json")]
    return {parts[1]: max(int(other[3]) for other in found if other[1] == parts[1]) for parts in found}


def steps_in(counts):
    counts.update()
    return max((step for _, step in counts.computed), default=0)


def test_a_study_survives_the_loss_of_a_machine_and_the_cluster_shrinks(room, undisturbed):
    slow_down(room.folder / "counts", 0.1)
    with room.submitted(STUDY, "disturbed") as (process, root):
        counts = Counts(room.folder / "counts", root)
        room.wait_until(lambda: steps_in(counts) >= 2 * CADENCE + 2, 180)
        assert room.cluster.take(busiest(room.cluster)) > 1
        room.wait_until(lambda: process.poll() is not None, 240)
    store = open_store(root)
    assert process.returncode == 0, room.log("disturbed")
    assert differences(undisturbed, read_outcome(store)) == []
    assert held_leases(store) == []
    assert counts.update().repeated <= CADENCE + 2
    assert room.most >= AT_ONCE
    room.wait_until(lambda: not room.cluster.machines(), 60)


def test_notice_is_used_and_everything_goes_on_by_itself_after_thirty_seconds_without_any_machine(room):
    slow_down(room.folder / "counts", 0.1)
    study = Study(
        train=0, sweep=LONG, grid=0, trials=AT_ONCE, batch=AT_ONCE, cadence=CADENCE, saves=1000
    )  # no checkpoint but those before machines go
    with room.submitted(study, "drought") as (process, root):
        counts, store = Counts(room.folder / "counts", root), open_store(root)
        room.wait_until(lambda: steps_in(counts) >= CADENCE, 180)
        room.cluster.sell_out()
        taken = room.cluster.machines()
        with patch.dict(os.environ, room.cluster.for_drivers), ThreadPoolExecutor() as pool:
            assert all(pool.map(lambda machine: drain(60, room.cluster.address, machine), taken))
        room.wait_until(lambda: set(newest_checkpoints(store)) == runs_begun(counts), 60)
        threading.Timer(30, room.cluster.restock).start()
        for machine in taken:
            room.cluster.take(machine)
        saved = newest_checkpoints(store)
        room.wait_until(lambda: process.poll() is not None, 240)
    assert saved
    assert all(0 < step < LONG and step % CADENCE == 0 for step in saved.values())
    assert process.returncode == 0, room.log("drought")
    outcome = read_outcome(open_store(root))
    assert list(outcome.states.values()) == [("finished", LONG)] * AT_ONCE
    assert all(counts.update().computed[run, step] == 1 for run, last in saved.items() for step in range(1, last + 1))
