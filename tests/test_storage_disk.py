"""Disks that are full, read-only or somebody else's: one sentence, nothing half-written, and what was there stays."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from g3dr.pictures import encode_depth, encode_image
from orchestrator.store import FolderStore, StoreError

pytestmark = pytest.mark.data

NOBODY = 65534
SIZE = 64
NAMESPACE = ["unshare", "--map-root-user", "--mount"]
FULL = "the disk is full (No space left on device); make room, then run the same command again"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    chance, top = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "photos"
    for number in range(60):
        species = top / ("ant", "bee", "wasp")[number % 3]
        species.mkdir(parents=True, exist_ok=True)
        (species / f"{number:02d}.png").write_bytes(encode_image(chance.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)))
        (species / f"{number:02d}_depth.png").write_bytes(encode_depth(chance.uniform(4, 6, (SIZE, SIZE))))
    return top


@pytest.fixture(scope="module")
def full_disk(photos, tmp_path_factory):
    """What happened on a small disk, in a mount namespace that ends with the process."""
    top = tmp_path_factory.mktemp("disk")
    disk = top / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=4m tmpfs {disk}"
    try:
        subprocess.run([*NAMESPACE, "sh", "-c", mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small disk can be mounted here: unshare --map-root-user --mount is not allowed")
    script = [sys.executable, str(Path(__file__).parent / "full_disk.py"), disk, photos, top / "undisturbed"]
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", f'{mount} && exec "$@"', "sh", *script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_full_disk_keeps_what_it_had(full_disk):
    found = full_disk["files"]
    assert [said.partition(": ")[2] for said in found["said"]] == [FULL] * 3
    assert found["said"][1].partition(": ")[0].endswith("/plain/new/folder/b")
    assert found["unchanged"], "a half-written file, a temporary one or an empty folder stayed"


def test_the_checkpoint_before_stays_usable(full_disk):
    found = full_disk["checkpoints"]
    assert FULL in found["said"]
    assert found["during"] == [10, True, [10]]
    assert found["after"] == 20


def test_a_pack_continues_after_making_room(full_disk):
    found = full_disk["packing"]
    assert FULL in found["said"]
    assert "manifest.json" not in found["during"]
    assert len(found["during"]) < found["shards"]
    assert found["equal"]


def test_a_disk_that_can_only_be_read(full_disk):
    check, write, delete = full_disk["read_only"]["said"]
    assert "can only be read, not written" in check
    assert write.endswith("/plain/a: this disk can only be read, not written (Read-only file system)")
    assert delete.endswith("/plain/a: this disk can only be read, not written (Read-only file system)")
    assert full_disk["read_only"]["read"] == "old"


def test_a_limit_on_the_size_of_files(tmp_path):
    store = FolderStore(tmp_path / "root")
    store.write_bytes("a", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        with pytest.raises(StoreError, match=r"a: the file is larger than this disk or your limits \(ulimit -f\) allow \(File too large\)"):
            store.write_bytes("a", bytes(2**17))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.read_bytes("a") == b"old"
    assert store.list() == ["a"]


@pytest.fixture
def others_folder(tmp_path_factory):
    """A store in which this process may do nothing but look at the names on top; root becomes nobody for it."""
    top = tmp_path_factory.mktemp("others") / "root"
    for name in ("file", "closed/file", "locked"):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
    modes = {top / "locked": 0o000, top / "closed": 0o000, top: 0o555}
    for path, mode in modes.items():
        path.chmod(mode)
    above = [path for path in top.parents if path.is_relative_to("/tmp/") and path != Path("/tmp")]
    kept = {path: path.stat().st_mode for path in above}
    if os.geteuid() == 0:
        for path in above:
            path.chmod(0o755)
        os.seteuid(NOBODY)
    yield FolderStore(top)
    os.seteuid(os.getuid())
    for path in reversed(modes):
        path.chmod(0o755)
    for path, mode in kept.items():
        path.chmod(mode)


def test_no_permission(others_folder):
    actions = {
        "file_new": lambda: others_folder.write_bytes("file_new", b""),
        "file_new2": lambda: others_folder.write_if_absent("file_new2", b""),
        "below/file": lambda: others_folder.write_bytes("below/file", b""),
        "locked": lambda: others_folder.read_bytes("locked"),
        "closed/file": lambda: others_folder.exists("closed/file"),
        "closed": lambda: others_folder.list("closed"),
        "file": lambda: others_folder.delete("file"),
    }
    for name, action in actions.items():
        with pytest.raises(StoreError) as caught:
            action()
        assert str(caught.value) == f"{others_folder.uri}/{name}: no permission to read or write here (Permission denied)"
    with pytest.raises(StoreError, match="no permission to read and write in"):
        others_folder.check()
    with pytest.raises(StoreError, match="no permission"):
        others_folder.list()
    with pytest.raises(StoreError, match="no permission"):
        others_folder.child("closed/below").check()
    assert others_folder.read_bytes("file") == b"content"
