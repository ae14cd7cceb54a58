"""A distributed run that may go on with fewer workers, on a cluster of several nodes that loses one."""

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from chaos.injector import Injection
from chaos.laboratory import laboratory
from chaos.processes import called
from chaos.setup import TRAINING_WORKERS, TRIAL_ACTORS, LocalSetup
from chaos.study import Study

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(900)]
CADENCE, STEPS, LOST_AT = 5, 60, 28


class LosesANode(LocalSetup):
    """Kills a node that holds a worker but nothing that leads the run, and brings no other: the other has room for one worker only."""

    def replace_node(self, injection):
        leaders = (*TRIAL_ACTORS, "ray::TrainController")
        victim = next(name for name in self.cluster.nodes if not called(self.cluster.processes_of(name), *leaders))
        workers = len(called(self.cluster.processes_of(victim), *TRAINING_WORKERS))
        self.cluster.kill_node(victim)
        return f"node with {workers} of 2 training workers"


@pytest.fixture
def folder():
    folder = Path(tempfile.mkdtemp(prefix="g3c"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def workers_of_each_step(counts, root):
    """How many workers took part in each step, the last time that it was computed."""
    events = [json.loads(line) for file in counts.glob("*.jsonl") for line in file.read_text().splitlines()]
    steps = [event for event in events if event["root"] == root and event["event"] == "step"]
    return Counter(event["step"] for event in steps if event["rank"] == 0), Counter(event["step"] for event in steps if event["rank"] == 1)


def test_a_run_goes_on_with_the_workers_that_are_left(folder):
    with laboratory(folder, cpus=1) as room:
        study = Study(train=STEPS, sweep=0, grid=0, cadence=CADENCE, least=1)
        made = room.run(study, "elastic", [Injection(LOST_AT, 0.0, "node", "pair", 0.5)], step_seconds=0.1, make_setup=LosesANode)
        first, second = workers_of_each_step(folder / "counts", made.root)
    ((run, state),) = made.outcome.states.items()
    assert [hit for _, hit in made.journal.injected] == ["node with 1 of 2 training workers"]
    assert made.journal.crashes == []
    assert state == ("finished", STEPS)
    assert sorted(first) == list(range(1, STEPS + 1))
    assert 1 in second, "two workers began"
    assert max(second) < LOST_AT + 20 < STEPS, "one went on"
    assert [row["step"] for row in made.outcome.metrics[run]] == list(range(CADENCE, STEPS + 1, CADENCE))
    assert made.counts.repeated <= 2 * CADENCE
    assert not any(made.left.values()), made.left
