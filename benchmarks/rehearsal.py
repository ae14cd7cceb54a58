"""A rehearsal at ImageNet's size: how long the first reads of a training take to plan, and what that takes of memory.

    python -m benchmarks.rehearsal            1.28 million rows in 1,000 shards, without any shard file
    python -m benchmarks.rehearsal --read     the same with shard files of tiny pictures (0.5 GB of disk), some steps of which are read

Each figure is taken in a process of its own, because memory and caches of one would help the other.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SHARDS, ROWS_PER_SHARD, ROW_GROUP_ROWS = 1000, 1280, 16
BATCH_SIZE, STEPS, RESUMED_AT = 8, 300_000, 250_000
READ_STEPS, TINY = 200, 4
MEGABYTE = 2**20


def write_manifest(folder: str, shards: int = SHARDS) -> str:
    """Writes the manifest of a dataset that has no shard files, and returns its version."""
    from orchestrator.shards.manifest import MANIFEST, Manifest, Shard  # noqa: PLC0415  Only the measured process counts imports.
    from orchestrator.store import open_store  # noqa: PLC0415

    groups = ROWS_PER_SHARD // ROW_GROUP_ROWS
    made = tuple(
        Shard(
            path=f"shards/split=train/species=n{number:08d}/part-00000.parquet",
            split="train",
            species=f"n{number:08d}",
            part=0,
            row_groups=(ROW_GROUP_ROWS,) * groups,
            bytes=128 * MEGABYTE,
            sha256=f"{number:064x}",
            content=f"{number:064x}",
            checksums=tuple(2**32 - 1 - number for _ in range(groups)),
        )
        for number in range(shards)
    )
    manifest = Manifest({"kind": "rehearsal"}, "0" * 16, made)
    open_store(folder).write_bytes(MANIFEST, manifest.to_json())
    return manifest.version


def plan_first_reads(dataset: str, step: int, world_size: int) -> dict[str, float]:
    """Plans from the manifest to the first sixteen reads, and says how long it took and how large this process became."""
    start, used = time.perf_counter(), time.process_time()
    from orchestrator.shards.order import TrainingOrder  # noqa: PLC0415  Imports are part of what a worker waits for, and are named apart.
    from orchestrator.shards.reading_plan import TrainingPlan  # noqa: PLC0415
    from orchestrator.shards.selection import RowGroups, Selection  # noqa: PLC0415

    imported, imported_used = time.perf_counter(), time.process_time()
    selection = Selection(dataset, "", "train")
    manifest = selection.manifest()
    groups = RowGroups(tuple(selection.shards_of(manifest)))
    order = TrainingOrder(groups.sizes, manifest.version, seed=0)
    plan = TrainingPlan(groups, order, BATCH_SIZE, 0, world_size, step, STEPS - step)
    reads = [read for read, _ in zip(plan.reads(0), range(16), strict=False)]
    return {
        "step": step,
        "workers": world_size,
        "rows": order.rows,
        "reads": len(reads),
        "pieces": plan.pieces,
        "imports_s": imported - start,
        "planning_s": time.perf_counter() - imported,
        "planning_cpu_s": time.process_time() - imported_used,
        "imports_cpu_s": imported_used - used,
        "peak_megabytes": _peak_megabytes(),
    }


def _peak_megabytes() -> float:
    # Not by getrusage: a process begins there with the size of the one that started it.
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def read_steps(dataset: str, step: int) -> dict[str, float]:
    """Reads some steps, and says when the first batch came, how fast the others came, and how large this process became."""
    start = time.perf_counter()
    from orchestrator.shards.selection import Selection  # noqa: PLC0415
    from orchestrator.shards.streaming import Reader  # noqa: PLC0415

    imported, imported_size = time.perf_counter(), _peak_megabytes()
    reader = Reader(Selection(dataset, "", "train"), 0, BATCH_SIZE, TINY, source="stream", engine="pyarrow")
    batches = reader.batches(step, STEPS - step)
    next(batches)
    first = time.perf_counter()
    for _ in range(READ_STEPS):
        next(batches)
    return {
        "step": step,
        "imports_s": imported - start,
        "first_batch_s": first - imported,
        "rows_a_second": READ_STEPS * BATCH_SIZE / (time.perf_counter() - first),
        "peak_megabytes_of_imports": imported_size,
        "peak_megabytes": _peak_megabytes(),
    }


def write_tiny_shards(folder: str, shards: int = SHARDS) -> None:
    """Writes the whole dataset with pictures of a few pixels."""
    import numpy as np  # noqa: PLC0415

    from benchmarks.shards import write_dataset  # noqa: PLC0415
    from g3dr.examples import RgbdExample  # noqa: PLC0415
    from g3dr.pictures import encode_depth, encode_image  # noqa: PLC0415

    chance = np.random.default_rng(0)
    tiny = [
        RgbdExample(
            "", "", "train", encode_image(chance.integers(0, 256, (TINY, TINY, 3), np.uint8)), encode_depth(np.full((TINY, TINY), 5.0))
        )
        for _ in range(16)
    ]
    write_dataset(folder, tiny, rows=shards * ROWS_PER_SHARD, resolution=TINY, rows_per_shard=ROWS_PER_SHARD, row_group_rows=ROW_GROUP_ROWS)


def _in_own_process(part: str, *arguments: object) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.rehearsal", part, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _show(figures: dict[str, float]) -> None:
    words = (f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items())
    sys.stdout.write("  ".join(words) + "\n")


def rehearse(shards: int, *, read: bool) -> list[dict[str, float]]:
    """Plans, and reads if asked to, at the beginning of a training and after a resumption far into it."""
    with tempfile.TemporaryDirectory(prefix="g3dr-rehearsal-") as folder:
        write_manifest(folder, shards)
        found = [_in_own_process("plan", folder, step, workers) for workers in (1, 4) for step in (0, RESUMED_AT)]
    if read:
        with tempfile.TemporaryDirectory(prefix="g3dr-rehearsal-") as folder:
            write_tiny_shards(folder, shards)
            found += [_in_own_process("read", folder, step) for step in (0, RESUMED_AT)]
    return found


def main(arguments: Sequence[str]) -> int:
    """Runs the rehearsal, or one part of it; returns the exit code."""
    if arguments and arguments[0] == "plan":
        sys.stdout.write(json.dumps(plan_first_reads(arguments[1], int(arguments[2]), int(arguments[3]))))
        return 0
    if arguments and arguments[0] == "read":
        sys.stdout.write(json.dumps(read_steps(arguments[1], int(arguments[2]))))
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shards", type=int, default=SHARDS, help=f"of {ROWS_PER_SHARD} rows each (default: {SHARDS})")
    parser.add_argument("--read", action="store_true", help="also write the shard files, of tiny pictures, and read from them")
    options = parser.parse_args(arguments)
    for figures in rehearse(options.shards, read=options.read):
        _show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
