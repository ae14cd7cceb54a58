"""Packing as Ray Data tasks: the same bytes as in threads, also when workers die."""

import threading
import time

import psutil
import pytest

from g3dr.procedural import ProceduralConfig
from orchestrator.shards import PackOptions, ProceduralSource, pack, tasks, verify
from orchestrator.store import open_store

pytestmark = pytest.mark.ray

SOURCE = ProceduralSource(ProceduralConfig(species=(0, 1), individuals=8, held_out=1, views=1, resolution=48))
OPTIONS = PackOptions(rows_per_shard=4, row_group_rows=2)
KILLS = 2


def packing_workers(marker):
    """Processes of this session's cluster that are building a shard now."""
    found = []
    for process in psutil.process_iter():
        try:
            if any("ray::Map(task)" in word for word in process.cmdline()) and process.environ().get("HOME") == marker:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_killed_workers_change_nothing(ray_session, ray_environment, tmp_path):
    seen, killed, stop = [], [], threading.Event()

    def kill_some():
        while len(killed) < KILLS and not stop.is_set():
            for process in packing_workers(str(ray_environment))[: KILLS - len(killed)]:
                process.kill()
                killed.append(process.pid)
            time.sleep(0.05)

    killer = threading.Thread(target=kill_some)
    killer.start()
    try:
        store = open_store(str(tmp_path / "ray"))
        manifest = pack(SOURCE, store, options=OPTIONS, progress=lambda *step: seen.append(step))
    finally:
        stop.set()
        killer.join()
    assert len(killed) == KILLS
    undisturbed = pack(SOURCE, open_store(str(tmp_path / "threads")), options=OPTIONS, runner=tasks.run_in_threads)
    assert manifest == undisturbed
    assert (seen[0], seen[-1]) == ((0, 16), (16, 16))
    assert verify(store) == []
