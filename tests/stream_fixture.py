"""A small dataset for the tests of the stream, and a consumer in a process of its own that may be killed."""

import hashlib
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.shards import write_dataset
from g3dr.examples import RgbdExample
from g3dr.pictures import encode_depth, encode_image
from orchestrator.shards.streaming import Reader

SIZE, BATCH, SEED = 4, 8, 3


def pictures(count, seed=0):
    """Random pictures; all of one size in bytes would need luck."""
    chance = np.random.default_rng(seed)
    return [
        RgbdExample(
            "",
            "",
            "train",
            encode_image(chance.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)),
            encode_depth(chance.uniform(4, 6, (SIZE, SIZE))),
        )
        for _ in range(count)
    ]


def small_dataset(folder, rows, rows_per_shard=17, row_group_rows=4):
    return write_dataset(
        str(folder), pictures(rows), rows=rows, resolution=SIZE, rows_per_shard=rows_per_shard, row_group_rows=row_group_rows
    )


def reader(selection, **changes):
    options = {"batch_size": BATCH, "resolution": SIZE, "source": "stream", "engine": "pyarrow", **changes}
    return Reader(selection, SEED, **options)


def digests(batch):
    """One digest for each row of a batch, of all that training sees."""
    rows = zip(batch.keys, batch.species, batch.images, batch.depths, strict=True)
    return [
        hashlib.sha256(f"{key} {species}".encode() + image.numpy().tobytes() + depth.numpy().tobytes()).hexdigest()[:16]
        for key, species, image, depth in rows
    ]


def record(selection, path, life, rank, engine="pyarrow"):
    """Reads and writes down what came, one line a step; dies of SIGKILL right after the step at which the life ends."""
    start, steps, world_size, kill_after = life
    batches = reader(selection, rank=rank, world_size=world_size, engine=engine).batches(start, steps)
    with Path(path).open("a") as file:
        for step, batch in enumerate(batches, start):
            file.write(" ".join([str(step), str(rank), str(world_size), *digests(batch)]) + "\n")
            file.flush()
            if step == kill_after:
                os.kill(os.getpid(), signal.SIGKILL)


def recorded(folder):
    """Reads all records of a folder: the digests of each step's whole batch in the order of its rows, each exactly once."""
    steps = {}
    for line in "".join(path.read_text() for path in Path(folder).iterdir()).splitlines():
        step, rank, world_size, *found = line.split()
        whole = steps.setdefault(int(step), [None] * BATCH)
        assert whole[int(rank) :: int(world_size)] == [None] * len(found), f"step {step} came twice"
        whole[int(rank) :: int(world_size)] = found
    return steps


def live_and_die(selection, folder, lives):
    """Runs lives one after the other, each in as many processes as it has workers, and returns the signals that ended them.

    All processes are forks of one that has imported what they need and has started no thread.

    Args:
        selection: What to read.
        folder: Where the records go.
        lives: Start, steps, workers and the step after which they are killed, or None, of each life.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    task = pickle.dumps((selection, str(folder), lives))
    done = subprocess.run([sys.executable, __file__], input=task, capture_output=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return pickle.loads(done.stdout)


def _ends(selection, folder, life):
    workers = []
    for rank in range(life[2]):
        worker = os.fork()
        if not worker:
            record(selection, f"{folder}/rank{rank}", life, rank)
            os._exit(0)
        workers.append(worker)
    return [-os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers]


if __name__ == "__main__":
    selection, folder, lives = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps([_ends(selection, folder, life) for life in lives]))
