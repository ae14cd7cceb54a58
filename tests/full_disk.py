"""Runs in a mount namespace of its own, on a disk of four megabytes; prints as JSON what happened when that was full.

python full_disk.py DISK PHOTOS ELSEWHERE
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from g3dr.training.checkpoint import Checkpoint
from orchestrator.ledger import Ledger
from orchestrator.shards import FolderSource, PackOptions, pack
from orchestrator.store import FolderStore, Store, StoreError

CHECKPOINT_FLOATS = 60_000
LITTLE = 100_000


def refusal(action) -> str:
    try:
        action()
    except StoreError as error:
        return str(error)
    return ""


def files(folder: Path) -> dict[str, int]:
    """Everything that lies in a folder, temporary files too, and empty folders."""
    return {str(path.relative_to(folder)): path.stat().st_size if path.is_file() else -1 for path in folder.rglob("*")}


class Ballast:
    """Leaves so many bytes of the disk while the block runs."""

    def __init__(self, disk: Path, left: int) -> None:
        self.path, self.left = disk / "ballast", left

    def __enter__(self) -> None:
        state = os.statvfs(self.path.parent)
        self.path.write_bytes(bytes(state.f_bavail * state.f_frsize - self.left))

    def __exit__(self, *_: object) -> None:
        self.path.unlink()


def plain_files(disk: Path) -> dict[str, object]:
    store = FolderStore(disk / "plain")
    store.write_bytes("a", b"old")
    before = files(disk / "plain")
    with Ballast(disk, LITTLE):
        said = [refusal(lambda name=name: store.write_bytes(name, bytes(2 * LITTLE))) for name in ("a", "new/folder/b")]
        said.append(refusal(lambda: store.write_if_absent("lease", bytes(2 * LITTLE))))
    return {"said": said, "unchanged": files(disk / "plain") == before and store.read_bytes("a") == b"old"}


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {"decoder": torch.full((CHECKPOINT_FLOATS,), float(step))}, {"moment": torch.ones(CHECKPOINT_FLOATS)})


def checkpoints(disk: Path) -> dict[str, object]:
    ledger = Ledger(FolderStore(disk / "root"))
    ledger.save_checkpoint("run", checkpoint(10))
    with Ballast(disk, 5 * CHECKPOINT_FLOATS):  # room for the model, and not for the optimizer's state
        said = refusal(lambda: ledger.save_checkpoint("run", checkpoint(20)))
        found = ledger.latest_checkpoint("run")
    during = (found.step, bool((found.model["decoder"] == 10).all()), ledger.checkpoint_steps("run"))
    ledger.save_checkpoint("run", checkpoint(20))
    return {"said": said, "during": during, "after": ledger.latest_checkpoint("run").step}


def contents(store: Store) -> dict[str, bytes]:
    """All files but the record of versions, which bears dates."""
    return {name: store.read_bytes(name) for name in store.list() if not name.startswith("manifests/")}


def packing(disk: Path, photos: str, elsewhere: str) -> dict[str, object]:
    source, options = FolderSource(photos, held_out=0), PackOptions(row_group_rows=3)
    store, undisturbed = FolderStore(disk / "set"), FolderStore(elsewhere)
    expected = pack(source, undisturbed, options=options)
    with Ballast(disk, expected.shards[0].bytes + 30_000):
        said = refusal(lambda: pack(source, store, options=options))
        during = [name for name in store.list() if name.endswith((".parquet", "manifest.json"))]
    pack(source, store, options=options)
    return {"said": said, "shards": len(expected.shards), "during": during, "equal": contents(store) == contents(undisturbed)}


def read_only(disk: Path) -> dict[str, object]:
    store = FolderStore(disk / "plain")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    said = [refusal(store.check), refusal(lambda: store.write_bytes("a", b"")), refusal(lambda: store.delete("a"))]
    return {"said": said, "read": store.read_bytes("a").decode()}


if __name__ == "__main__":
    place, pictures, other = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    found = {"files": plain_files(place), "checkpoints": checkpoints(place), "packing": packing(place, pictures, other)}
    sys.stdout.write(json.dumps({**found, "read_only": read_only(place)}))
