"""The pool of actors: the same depth maps as in one process, though an actor dies in the middle."""

import psutil
import pytest

from g3dr.procedural import ProceduralConfig
from orchestrator.depth.adding import DepthOptions, add_depth
from orchestrator.depth.recipes import Wishes
from orchestrator.depth.runners import Pool
from orchestrator.shards import PackOptions, Preparation, ProceduralSource, pack, read_manifest, verify
from orchestrator.shards.tasks import run_in_threads
from orchestrator.store import open_store

pytestmark = pytest.mark.ray

ANIMALS = ProceduralConfig(species=(1, 4), individuals=60, held_out=0, resolution=16, supersampling=1, shadows=False)
SMALL = PackOptions(rows_per_shard=20, row_group_rows=4)


def actors(folder):
    """Returns the processes of the pool that belong to the cluster whose home is `folder`."""
    found = set()
    for process in psutil.process_iter():
        try:
            if "ray::MapWorker" in " ".join(process.cmdline()) and process.environ().get("HOME") == str(folder):
                found.add(process)
        except psutil.Error:
            continue
    return found


def test_actors_give_the_same_dataset_though_one_is_killed(ray_session, ray_environment, tmp_path):
    dataset, truth, found = (open_store(str(tmp_path / name)) for name in ("none", "truth", "found"))
    pack(ProceduralSource(ANIMALS, Preparation(depth="none")), dataset, options=SMALL, runner=run_in_threads)
    pack(ProceduralSource(ANIMALS), truth, options=SMALL, runner=run_in_threads)
    steps, killed = [], set()

    def kill_the_first(done, total):
        steps.append((done, total))
        if done and not killed:
            killed.update(actors(ray_environment))
            for process in killed:
                process.kill()

    manifest = add_depth(
        dataset,
        found,
        "procedural",
        Wishes(),
        options=DepthOptions(batch_size=3, gpus=0.0),
        runner=Pool(workers=1, cpus=1.0, gpus=0.0).run,
        progress=kill_the_first,
    )
    assert len(killed) == 1
    assert manifest.version == read_manifest(truth).version
    assert verify(found) == []
    # Every picture is counted once, also those that were begun twice, and reports come before a shard is done.
    assert steps == sorted(set(steps))
    assert (steps[1], steps[-1]) == ((16, 120), (120, 120))
