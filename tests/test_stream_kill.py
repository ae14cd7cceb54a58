"""SIGKILL at any step, also at the end of an epoch: what another number of workers goes on with is bit-equal."""

import signal

import numpy as np
import psutil
import pytest
import stream_fixture
from stream_fixture import digests, live_and_die, reader, record, recorded, small_dataset

# Epochs of 44 rows end in the middle of a batch and, every second time, with a batch.
ROWS, STEPS, KILLS, BOUNDARY = 44, 99, 20, 11


@pytest.fixture(scope="module")
def selection(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("stream"), ROWS)


@pytest.fixture(scope="module")
def undisturbed(selection):
    return {step: digests(batch) for step, batch in enumerate(reader(selection).batches(0, STEPS))}


def kill_steps():
    """Twenty steps: the last of an epoch, the one before and after it, one with an epoch's end inside, and chance."""
    around = {BOUNDARY - 2, BOUNDARY - 1, BOUNDARY, 3 * BOUNDARY - 1, 4 * BOUNDARY + 5}
    others = np.setdiff1d(np.arange(STEPS - 1), sorted(around))
    chosen = np.random.default_rng(20).choice(others, KILLS - len(around), replace=False)
    return sorted(around | set(chosen.tolist()))


@pytest.mark.unit
def test_twenty_kills_lose_and_repeat_nothing(selection, undisturbed, tmp_path):
    kills = kill_steps()
    starts = [0, *(kill + 1 for kill in kills)]
    lives = [
        (start, STEPS - start, (1, 2, 4)[life % 3], kill) for life, (start, kill) in enumerate(zip(starts, [*kills, None], strict=True))
    ]
    ends = live_and_die(selection, tmp_path, lives)
    assert len(kills) == KILLS
    assert ends == [[0 if kill is None else signal.SIGKILL] * workers for _, _, workers, kill in lives]
    assert recorded(tmp_path) == undisturbed


@pytest.mark.unit
def test_the_undisturbed_training_shows_every_row_once_an_epoch(selection):
    keys = [key for batch in reader(selection).batches(0, STEPS) for key in batch.keys]
    assert all(len(set(keys[start : start + ROWS])) == ROWS for start in range(0, len(keys), ROWS))


@pytest.mark.ray
def test_kills_inside_ray_workers(ray_session, selection, undisturbed, tmp_path):
    from ray.exceptions import WorkerCrashedError

    # Ray's workers do not know the folder of the tests.
    ray_session.cloudpickle.register_pickle_by_value(stream_fixture)
    consume = ray_session.remote(num_cpus=0.1, max_retries=0)(record)
    for start, end, world_size in ((0, 9, 2), (9, 24, 1)):
        # Those who are killed have more steps before them; the last ones come to their end.
        life = (start, end - start, world_size, None) if end == 24 else (start, STEPS - start, world_size, end - 1)
        made = [consume.remote(selection, tmp_path / f"rank{rank}", life, rank, "ray") for rank in range(world_size)]
        for one in made:
            if end == 24:
                ray_session.get(one, timeout=240)
            else:
                with pytest.raises(WorkerCrashedError):
                    ray_session.get(one, timeout=240)
    assert recorded(tmp_path) == {step: undisturbed[step] for step in range(24)}


@pytest.mark.ray
def test_a_read_task_that_is_killed_is_run_again(ray_session, ray_environment, selection, monkeypatch):
    # Blocks so small that tasks wait for the consumer instead of being done before they can be killed.
    monkeypatch.setattr("orchestrator.shards.ray_reading._BLOCK_BYTES", 2**14)
    steps, kills, keys = 1500, 0, []
    for step, batch in enumerate(reader(selection, engine="ray").batches(0, steps)):
        keys += batch.keys
        if step in {100, 700}:
            for process in reading_processes(str(ray_environment)):
                process.kill()
                kills += 1
    assert kills >= 2
    assert keys == [key for batch in reader(selection).batches(0, steps) for key in batch.keys]


def reading_processes(marker):
    """The processes of this session's cluster that read at the moment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline()[:1] == ["ray::MapBatches(task)"] and marker in str(process.environ().values()):
                found.append(process)
        except psutil.Error:
            continue
    return found
