"""A small sample of chaos on a cluster of several nodes and an object store; `make chaos` does much more of it."""

import shutil
import tempfile
from pathlib import Path

import pytest
from chaos.injector import Injection, Injector
from chaos.laboratory import laboratory
from chaos.processes import called
from chaos.setup import TRAINING_WORKERS, LocalSetup
from chaos.study import Study
from chaos.verdict import verdict

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]  # mostly waiting for processes to start; minutes on a busy machine
CADENCE = 5


@pytest.fixture(scope="module")
def room():
    """Two nodes, each large enough for a distributed run."""
    folder = Path(tempfile.mkdtemp(prefix="g3c"))
    with laboratory(folder, cpus=3) as room:
        yield room
    shutil.rmtree(folder, ignore_errors=True)


class LosesItsNode(LocalSetup):
    """Kills the node that trains, and brings no other."""

    def replace_node(self, injection):
        busy = {name: called(self.cluster.processes_of(name), *TRAINING_WORKERS) for name in self.cluster.nodes}
        victim = max(busy, key=lambda name: len(busy[name]))
        self.cluster.kill_node(victim)
        return f"node with {len(busy[victim])} training workers"


def test_a_distributed_run_goes_on_on_another_node(room):
    study = Study(train=60, sweep=0, grid=0, cadence=CADENCE)
    made = room.run(study, "node", [Injection(28, 0.0, "node", "pair", 0.5)], step_seconds=0.1, make_setup=LosesItsNode)
    ((run, state),) = made.outcome.states.items()
    assert [hit for _, hit in made.journal.injected] in (["node with 2 training workers"], ["node with 1 training workers"])
    assert made.journal.crashes == []
    assert len(room.cluster.nodes) == 1
    assert state == ("finished", 60)
    assert [row["step"] for row in made.outcome.metrics[run]] == list(range(CADENCE, 61, CADENCE))
    assert made.starts == 1
    assert made.counts.starts[run] >= 2
    assert made.counts.repeated <= CADENCE
    assert made.counts.computed[run, 1] == 1
    assert not any(made.left.values()), made.left


def test_a_sample_of_chaos_changes_no_result(room):
    study = Study(train=0, sweep=40, grid=0, cadence=CADENCE)
    while len(room.cluster.nodes) < 2:
        room.cluster.add_node()
    schedule = Injector(11, study.phases).schedule(3)
    assert {injection.fault for injection in schedule} == {"trial actor", "orchestrator", "node"}
    alone = room.run(study, "alone")
    disturbed = room.run(study, "disturbed", schedule, step_seconds=0.1)
    assert verdict(alone, disturbed) == []
    assert len(disturbed.journal.injected) == 3
    assert alone.counts.repeated == 0
    assert disturbed.counts.progress == alone.counts.progress == 160
