"""A small sample of chaos on a cluster of several nodes and an object store; `make chaos` does much more of it."""

import shutil
import tempfile
from pathlib import Path

import pytest
from chaos.injector import Injector
from chaos.laboratory import laboratory
from chaos.study import Study
from chaos.verdict import verdict

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]  # mostly waiting for processes to start; minutes on a busy machine
CADENCE = 5


@pytest.fixture(scope="module")
def room():
    """Two nodes."""
    folder = Path(tempfile.mkdtemp(prefix="g3c"))
    with laboratory(folder, cpus=3) as room:
        yield room
    shutil.rmtree(folder, ignore_errors=True)


def test_a_sample_of_chaos_changes_no_result(room):
    study = Study(train=0, sweep=40, grid=0, cadence=CADENCE)
    schedule = Injector(11, study.phases).schedule(3)
    assert {injection.fault for injection in schedule} == {"trial actor", "orchestrator", "node"}
    alone = room.run(study, "alone")
    disturbed = room.run(study, "disturbed", schedule, step_seconds=0.1)
    assert verdict(alone, disturbed) == []
    assert len(disturbed.journal.injected) == 3
    assert alone.counts.repeated == 0
    assert disturbed.counts.progress == alone.counts.progress == 160
