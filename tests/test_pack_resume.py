"""Packs that are interrupted, killed, repeated, or run twice at once."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from picture_files import write_pair

from g3dr.errors import DataError
from orchestrator.shards import FolderSource, PackOptions, pack, packed_versions, read_manifest, shard_task, verify
from orchestrator.shards.packing import source_fingerprint
from orchestrator.store import open_store

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]

SMALL = PackOptions(rows_per_shard=3, row_group_rows=2)


def test_version_is_of_the_content_and_its_arrangement(photos, store, tmp_path):
    source = FolderSource(str(photos))
    first = pack(source, store, options=SMALL)
    assert pack(source, open_store(str(tmp_path / "other")), options=SMALL) == first
    assert pack(source, open_store(str(tmp_path / "third"))).version != first.version
    write_pair(photos / "ant", "00", seed=1)
    second = pack(source, store, options=SMALL)
    assert second.version != first.version
    assert read_manifest(store) == second


def test_packing_again_does_nothing(photos, store, monkeypatch):
    first = pack(FolderSource(str(photos)), store)
    monkeypatch.setattr(shard_task, "build", None)
    assert pack(FolderSource(str(photos)), store) == first


@pytest.mark.parametrize("shards_before_the_end", [0, 1, 4])
def test_an_interrupted_pack_continues(photos, store, tmp_path, monkeypatch, shards_before_the_end):
    undisturbed = pack(FolderSource(str(photos)), open_store(str(tmp_path / "other")), options=SMALL)
    real, built = shard_task.build, []

    def killed(source, plan, tick):
        if len(built) >= shards_before_the_end:
            deadline = time.monotonic() + 30
            while len(store.list("packing")) < shards_before_the_end and time.monotonic() < deadline:
                time.sleep(0.01)  # an interruption also ends shards that are being built
            raise KeyboardInterrupt
        built.append(plan.path)
        return real(source, plan, tick)

    monkeypatch.setattr(shard_task, "build", killed)
    with pytest.raises(KeyboardInterrupt):
        pack(FolderSource(str(photos)), store, options=SMALL)
    assert read_manifest(store) is None
    assert len(store.list("packing")) == shards_before_the_end
    again = []
    monkeypatch.setattr(shard_task, "build", lambda source, plan, tick: (again.append(plan.path), real(source, plan, tick))[1])
    assert pack(FolderSource(str(photos)), store, options=SMALL) == undisturbed
    assert len(again) == len(undisturbed.shards) - shards_before_the_end
    assert verify(store) == []


SLOW_PACK = """
import sys, time
from orchestrator.shards import FolderSource, PackOptions, pack, shard_task
from orchestrator.store import open_store
real = shard_task.build
shard_task.build = lambda source, plan, tick: (time.sleep(0.1), real(source, plan, tick))[1]
pack(FolderSource(sys.argv[1]), open_store(sys.argv[2]), options=PackOptions(1, 1))
"""


def start_slow_pack(photos, store):
    """Packs in a process of its own, a tenth of a second a shard."""
    repository = str(Path(__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([repository, os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen([sys.executable, "-c", SLOW_PACK, str(photos), store.uri], env=environment)


def test_a_killed_pack_continues(photos, store, tmp_path):
    undisturbed = pack(FolderSource(str(photos)), open_store(str(tmp_path / "other")), options=PackOptions(1, 1))
    process = start_slow_pack(photos, store)
    deadline = time.monotonic() + 60
    while len(store.list("packing")) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert 3 <= len(store.list("packing")) < 14
    assert read_manifest(store) is None
    assert pack(FolderSource(str(photos)), store, options=PackOptions(1, 1)) == undisturbed
    assert verify(store) == []


def test_the_old_dataset_stays_until_the_new_one_is_complete(photos, store, monkeypatch):
    before = pack(FolderSource(str(photos)), store, options=SMALL)
    (photos / "bee" / "06.png").write_bytes(b"broken")
    with pytest.raises(DataError):
        pack(FolderSource(str(photos)), store, options=SMALL, strict=True)
    assert read_manifest(store) == before
    kept = {shard.path for shard in before.shards} | {"manifest.json", f"manifests/{before.version}.json"}
    assert set(store.list()) == kept
    assert verify(store) == []


@pytest.mark.parametrize("replaces", [False, True])
def test_of_two_packers_one_wins_and_the_other_says_so(photos, store, tmp_path, monkeypatch, replaces):
    """The second packs as a whole while the first is at its last shard."""
    if replaces:
        pack(FolderSource(str(photos), species=("bee",)), store)
    write_pair(tmp_path / "others" / "wasp", "x")
    real = shard_task.build

    def meanwhile(source, plan, tick):
        monkeypatch.setattr(shard_task, "build", real)
        pack(FolderSource(str(tmp_path / "others")), store)
        return real(source, plan, tick)

    monkeypatch.setattr(shard_task, "build", meanwhile)
    with pytest.raises(DataError, match="another dataset was packed here at the same time and came first"):
        pack(FolderSource(str(photos)), store)
    assert read_manifest(store).species() == ("wasp",)
    assert pack(FolderSource(str(photos)), store).species() == ("ant", "bee")
    assert verify(store) == []


def test_a_claim_of_somebody_else_is_respected_and_an_own_one_continues(photos, store, tmp_path):
    before = pack(FolderSource(str(photos)), store)
    source = FolderSource(str(photos), species=("ant",))
    claim = f"packing/replacing-{before.version}-{before.fingerprint}"
    store.write_bytes(claim, b"somebody")
    with pytest.raises(DataError, match=f"delete .*{claim}"):
        pack(source, store)
    assert read_manifest(store) == before
    store.write_bytes(claim, source_fingerprint(source).encode())
    assert pack(source, store).species() == ("ant",)
    assert store.list("packing") == []


def test_two_processes_packing_the_same_agree(photos, store, tmp_path):
    """Really at once, by two processes; both end well, because both have the same to say."""
    processes = [start_slow_pack(photos, store) for _ in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert read_manifest(store) == pack(FolderSource(str(photos)), open_store(str(tmp_path / "other")), options=PackOptions(1, 1))
    assert verify(store) == []


def test_earlier_versions_stay_readable(photos, store):
    first = pack(FolderSource(str(photos)), store)
    second = pack(FolderSource(str(photos), species=("ant",)), store)
    assert [(one.manifest.version, one.current) for one in packed_versions(store)][-1] == (first.version, False)
    assert {one.manifest.version for one in packed_versions(store)} == {first.version, second.version}
    assert all(one.packed.startswith("20") for one in packed_versions(store))
    assert read_manifest(store, first.version) == first
    assert read_manifest(store, first.version[:6]) == first
    assert read_manifest(store, "0123") is None
    assert verify(store, version=first.version) == []
    assert pack(FolderSource(str(photos)), store) == first
    assert read_manifest(store) == first


def test_what_vanishes_while_it_is_packed_is_left_out(photos, store):
    source = FolderSource(str(photos))
    items = source.items()
    (photos / "ant" / "03.png").unlink()
    (photos / "bee" / "05_depth.png").unlink()
    outcomes = dict(zip([item.key for item in items], source.rows(items), strict=True))
    problems = {key: str(row) for key, row in outcomes.items() if isinstance(row, DataError)}
    assert problems.keys() == {"ant/03", "bee/05"}
    assert all("vanished while it was being packed" in problem for problem in problems.values())


def test_large_pictures_make_small_shards(photos, store):
    size = (photos / "ant" / "00.png").stat().st_size
    manifest = pack(FolderSource(str(photos), held_out=0), store, options=PackOptions(shard_bytes=5 * size))
    assert manifest.rows() == 14
    assert max(shard.rows for shard in manifest.shards) <= 3


def test_ctrl_c_ends_threads_in_the_middle_of_a_shard(photos, store, monkeypatch):
    """One shard of everything; the interrupt must not wait for its end."""
    source, seen = FolderSource(str(photos), species=("ant",), held_out=0), []
    real = FolderSource._load

    def slow(self, item):
        seen.append(item.key)
        time.sleep(0.2)
        return real(self, item)

    def interrupted(done, total):
        if done:
            raise KeyboardInterrupt

    monkeypatch.setattr(FolderSource, "_load", slow)
    with pytest.raises(KeyboardInterrupt):
        pack(source, store, progress=interrupted)
    assert len(seen) < 7
    monkeypatch.setattr(FolderSource, "_load", real)
    assert pack(source, store).rows() == 7


def test_one_may_delete_the_folder_in_which_another_writes(store):
    """What two packers of the same do to each other's receipts, many times over."""
    ended, problems = threading.Event(), []

    def write():
        try:
            for number in range(400):
                store.write_bytes(f"packing/x/y{number % 3}/{number}", b"receipt")
                store.write_if_absent(f"packing/x/y{number % 3}/{number}b", b"receipt")
        except Exception as error:
            problems.append(error)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    deletions = 0
    while not ended.is_set():
        store.delete("packing/x")
        deletions += 1
    writer.join()
    store.delete("packing/x")
    assert problems == []
    assert deletions > 10
    assert store.list() == []
