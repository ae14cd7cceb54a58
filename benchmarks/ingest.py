"""Reading training data: the ordered stream inside a Ray worker against a plain DataLoader over the same shards.

Both sides are one long iteration that is paused between the rounds, so that a round is what training sees after its start; it
holds four epochs with their boundaries. The baseline is what a careful user of PyTorch would write: two persistent worker
processes, row groups in a new random order every epoch, files kept open, the same decoders, random flips. It has neither an
order that survives another number of workers, nor a state to resume from, nor checksums.
"""

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from pyarrow import parquet
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from benchmarks.figures import Comparison, Figure, Result, Setting
from benchmarks.shards import write_dataset
from g3dr.procedural import ExampleId, ProceduralConfig, make_example
from orchestrator.shards import Selection
from orchestrator.shards.plain_pictures import decode_depth_fast, decode_image_fast
from orchestrator.shards.streaming import Reader
from orchestrator.store import open_store

BATCH_SIZE, EPOCHS, ENDLESS_STEPS = 8, 4, 10**7
CPUS, OBJECT_STORE_BYTES = 2, 512 * 2**20
RESOLUTION, ORIGINALS = 128, 48


@dataclass
class Pace:
    """What a consumer notices.

    Attributes:
        first_batch_s: Seconds until the first batch of the iteration.
        longest_gap_s: The longest time between two batches after that, outside of pauses.
    """

    first_batch_s: float = 0.0
    longest_gap_s: float = 0.0
    _started: float = field(default_factory=time.perf_counter)

    def take(self, batches: Iterator[tuple[Tensor, Tensor]], rows: int) -> Result:
        """Takes about `rows` rows and returns the mean of all pixels, by which both sides are compared."""
        images, depths, taken = 0.0, 0.0, 0
        before = time.perf_counter()
        while taken < rows:
            image, depth = next(batches)
            now = time.perf_counter()
            if self.first_batch_s:
                self.longest_gap_s = max(self.longest_gap_s, now - before)
            else:
                self.first_batch_s = now - self._started
            images, depths, taken = images + float(image.mean()) * len(image), depths + float(depth.mean()) * len(image), taken + len(image)
            before = time.perf_counter()
        return {"image": torch.tensor(images / taken), "depth": torch.tensor(depths / taken)}


class StreamConsumer:
    """A training worker that only reads; runs as a Ray actor."""

    def __init__(self, selection: Selection, resolution: int) -> None:
        torch.set_num_threads(1)
        reader = Reader(selection, seed=0, batch_size=BATCH_SIZE, resolution=resolution, source="stream", engine="ray")
        self._pace = Pace()
        self._batches = ((batch.images, batch.depths) for batch in reader.batches(0, ENDLESS_STEPS))

    def take(self, rows: int) -> tuple[Result, Pace]:
        """Reads on."""
        return self._pace.take(self._batches, rows), self._pace


class RowGroupDataset(IterableDataset[tuple[Tensor, Tensor]]):
    """The rows of all shards, row groups in a random order that is new in each epoch, divided among the worker processes."""

    def __init__(self, selection: Selection) -> None:
        root = open_store(selection.dataset).uri
        self._groups = [(f"{root}/{shard.path}", group) for shard in selection.shards() for group in range(len(shard.row_groups))]
        self._epoch = 0
        self._files: dict[str, parquet.ParquetFile] = {}

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields decoded rows of this worker process for one epoch."""
        worker = get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        chance = np.random.default_rng(self._epoch)
        self._epoch += 1
        for group in chance.permutation(len(self._groups))[number::count]:
            rows = self._read(*self._groups[group])
            for row in chance.permutation(len(rows["image"])):
                yield self._decode(rows["image"][row], rows["depth"][row], flip=bool(chance.integers(2)))

    def _read(self, path: str, group: int) -> dict[str, list[bytes]]:
        if path not in self._files:
            self._files[path] = parquet.ParquetFile(path)
        rows: dict[str, list[bytes]] = self._files[path].read_row_group(group, columns=["image", "depth"]).to_pydict()
        return rows

    @staticmethod
    def _decode(image: bytes, depth: bytes, *, flip: bool) -> tuple[Tensor, Tensor]:
        pixels = torch.from_numpy(np.ascontiguousarray(decode_image_fast(image))).permute(2, 0, 1).to(torch.float32).div_(127.5).sub_(1)
        distances = torch.from_numpy(decode_depth_fast(depth))[None]
        return (pixels.flip(-1), distances.flip(-1)) if flip else (pixels, distances)


def _loader_batches(selection: Selection) -> Iterator[tuple[Tensor, Tensor]]:
    loader = DataLoader(RowGroupDataset(selection), batch_size=BATCH_SIZE, num_workers=2, persistent_workers=True, prefetch_factor=4)
    while True:
        yield from ((image, depth) for image, depth in loader)


def start_ray() -> Any:
    """Starts a Ray of this process's own, apart from any other on this machine, and returns the module."""
    folder = tempfile.mkdtemp(prefix="g3b")
    # Ray's workers are nice to others by default, and would be timed against a DataLoader that is not.
    os.environ |= {
        "RAY_worker_niceness": "0",
        "HOME": folder,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
    }
    os.environ.pop("RAY_ADDRESS", None)
    import ray  # noqa: PLC0415  Reads the environment when it is imported.

    options = {"include_dashboard": False, "logging_level": "error", "log_to_driver": False}
    ray.init(num_cpus=CPUS, object_store_memory=OBJECT_STORE_BYTES, _temp_dir=f"{folder}/r", **options)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(ray.shutdown)
    return ray


def dataset(rows: int, resolution: int, rows_per_shard: int = 128) -> Selection:
    """Writes a dataset of procedural pictures, which is deleted when this process ends."""
    folder = tempfile.mkdtemp(prefix="g3dr-ingest-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = ProceduralConfig(resolution=resolution)
    ids = [
        ExampleId(species, individual=number, split="train")
        for number in range(ORIGINALS // len(config.species))
        for species in config.species
    ]
    return write_dataset(
        folder, [make_example(config, one) for one in ids], rows=rows, resolution=resolution, rows_per_shard=rows_per_shard
    )


def _comparison(setting: Setting) -> Comparison:
    rows, resolution = setting.size(1024, 64), setting.size(RESOLUTION, 16)
    selection = dataset(rows, resolution)
    loader, loader_pace = _loader_batches(selection), Pace()
    # Its processes are forked before there is any Ray, and so any thread, in this one.
    reference_start = loader_pace.take(loader, BATCH_SIZE)
    del reference_start
    ray = start_ray()
    consumer = ray.remote(num_cpus=1)(StreamConsumer).remote(selection, resolution)
    paces = {"reference": loader_pace}

    def ours() -> Result:
        result, paces["ours"] = ray.get(consumer.take.remote(EPOCHS * rows))
        return dict(result)

    def reference() -> Result:
        return loader_pace.take(loader, EPOCHS * rows)

    def details() -> dict[str, float]:
        return {f"{side}: {what}": getattr(pace, what) for side, pace in paces.items() for what in ("first_batch_s", "longest_gap_s")}

    return Comparison(ours, reference, items=EPOCHS * rows, details=details)


FIGURES = (
    Figure(
        name="ingest",
        meaning=f"four epochs of 1024 rows at {RESOLUTION} px, image and depth as PNG: the stream in a Ray worker against a DataLoader "
        "with two worker processes over the same shards; rows a second",
        build=_comparison,
    ),
)
