"""Packing, verifying and loading, in a folder."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from g3dr.errors import DataError
from g3dr.pictures import decode_depth, decode_image, encode_depth, encode_image
from g3dr.procedural import ProceduralConfig
from orchestrator.shards import FolderSource, PackOptions, ProceduralSource, Selection, pack, read_manifest, shard_task, verify
from orchestrator.shards.cropping import crop_and_encode
from orchestrator.shards.loading import load_rows
from orchestrator.store import open_store

pytestmark = pytest.mark.unit

SMALL = PackOptions(rows_per_shard=3, row_group_rows=2)


def write_pair(folder, name, size=(8, 8), seed=0):
    """Writes a random picture and depth map of width x height."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng([seed, *map(ord, name)])
    width, height = size
    (folder / f"{name}.png").write_bytes(encode_image(chance.integers(0, 256, (height, width, 3), dtype=np.uint8)))
    (folder / f"{name}_depth.png").write_bytes(encode_depth(chance.uniform(4, 6, (height, width))))


@pytest.fixture
def photos(tmp_path):
    for species in ("ant", "bee"):
        for number in range(7):
            write_pair(tmp_path / "photos" / species, f"{number:02d}")
    return tmp_path / "photos"


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "dataset"))


@pytest.fixture(autouse=True)
def _without_ray(monkeypatch):
    """Another test may have started a cluster in this process."""
    monkeypatch.setattr("orchestrator.shards.execution.ray_is_up", lambda: False)


def selection(store, split="train", species=None):
    return Selection(store.uri, read_manifest(store).version, split, species)


def test_packs_loads_and_verifies(photos, store):
    steps = []
    manifest = pack(FolderSource(str(photos), held_out=0.3), store, options=SMALL, progress=lambda *step: steps.append(step))
    assert read_manifest(store) == manifest
    assert (manifest.rows("train"), manifest.rows("test"), manifest.quarantine) == (10, 4, ())
    assert steps[-1] == (len(manifest.shards), len(manifest.shards)) == (6, 6)
    assert verify(store) == []
    rows = load_rows(selection(store), 8)
    assert list(rows.keys) == sorted(rows.keys)
    name = rows.keys[4]
    assert np.array_equal(rows.images[4].permute(1, 2, 0).numpy(), decode_image((photos / f"{name}.png").read_bytes()))
    assert np.array_equal(rows.depths[4, 0].numpy(), decode_depth((photos / f"{name}_depth.png").read_bytes()))
    assert load_rows(selection(store, species=("bee",)), 8).species == ("bee",) * 5
    assert store.list("packing") == []


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

    def killed(source, plan):
        if len(built) >= shards_before_the_end:
            raise KeyboardInterrupt
        built.append(plan.path)
        return real(source, plan)

    monkeypatch.setattr(shard_task, "build", killed)
    with pytest.raises(KeyboardInterrupt):
        pack(FolderSource(str(photos)), store, options=SMALL)
    assert read_manifest(store) is None
    assert len(store.list("packing")) == shards_before_the_end
    again = []
    monkeypatch.setattr(shard_task, "build", lambda source, plan: (again.append(plan.path), real(source, plan))[1])
    assert pack(FolderSource(str(photos)), store, options=SMALL) == undisturbed
    assert len(again) == len(undisturbed.shards) - shards_before_the_end
    assert verify(store) == []


SLOW_PACK = """
import sys, time
from orchestrator.shards import FolderSource, PackOptions, pack, shard_task
from orchestrator.store import open_store
real = shard_task.build
shard_task.build = lambda source, plan: (time.sleep(0.1), real(source, plan))[1]
pack(FolderSource(sys.argv[1]), open_store(sys.argv[2]), options=PackOptions(1, 1))
"""


def test_a_killed_pack_continues(photos, store, tmp_path):
    undisturbed = pack(FolderSource(str(photos)), open_store(str(tmp_path / "other")), options=PackOptions(1, 1))
    repository = str(Path(__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([repository, os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([sys.executable, "-c", SLOW_PACK, str(photos), store.uri], env=environment)
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
    assert {name for name in store.list() if name != "manifest.json"} == {shard.path for shard in before.shards}
    assert verify(store) == []


def spoil_8_bit(folder):
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(folder / "03_depth.png")


def spoil_truncated(folder):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, "jpeg")
    (folder / "03.png").unlink()
    (folder / "03.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])


def spoil_missing(folder):
    (folder / "03_depth.png").unlink()


def spoil_mismatch(folder):
    (folder / "03_depth.png").write_bytes(encode_depth(np.full((4, 8), 5.0)))


BAD = [
    (spoil_8_bit, "16"),
    (spoil_truncated, "03.jpg"),
    (spoil_missing, "no depth map 03_depth.png"),
    (spoil_mismatch, "8 x 4, its picture 8 x 8"),
]


@pytest.mark.parametrize(("spoil", "says"), BAD)
def test_an_unusable_picture_is_left_out_with_its_reason(photos, store, spoil, says):
    spoil(photos / "ant")
    manifest = pack(FolderSource(str(photos)), store)
    assert manifest.rows() == 13
    assert [entry.key for entry in manifest.quarantine] == ["ant/03"]
    assert says in manifest.quarantine[0].reason
    assert "\n" not in manifest.quarantine[0].reason
    assert verify(store) == []


@pytest.mark.parametrize(("spoil", "says"), BAD)
def test_strict_refuses_and_leaves_nothing(photos, store, tmp_path, spoil, says):
    spoil(photos / "ant")
    with pytest.raises(DataError, match=says):
        pack(FolderSource(str(photos)), store, options=SMALL, strict=True)
    assert not (tmp_path / "dataset").exists()


def test_strict_also_refuses_what_was_left_out_before(photos, store):
    spoil_missing(photos / "ant")
    pack(FolderSource(str(photos)), store)
    with pytest.raises(DataError, match="no depth map"):
        pack(FolderSource(str(photos)), store, strict=True)
    assert read_manifest(store) is not None


@pytest.mark.parametrize(
    ("name", "says"), [("empty", "no pictures here"), ("absent", "no such folder"), ("file", "not a folder"), ("only_bad", "no depth map")]
)
def test_nothing_usable(tmp_path, store, name, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    write_pair(tmp_path / "only_bad", "03")
    spoil_missing(tmp_path / "only_bad")
    with pytest.raises(DataError, match=says):
        pack(FolderSource(str(tmp_path / name)), store)
    assert not (tmp_path / "dataset").exists()


def test_layouts(tmp_path, store):
    for split, species, name in (("train", "ant", "a"), ("train", "bee", "b"), ("val", "ant", "a")):
        write_pair(tmp_path / "split" / split / species, name)
    items = FolderSource(str(tmp_path / "split")).items()
    assert [(item.key, item.species, item.split) for item in items] == [
        ("train/ant/a", "ant", "train"),
        ("train/bee/b", "bee", "train"),
        ("val/ant/a", "ant", "test"),
    ]
    for number in range(5):
        write_pair(tmp_path / "wasps", f"{number}")
    flat = FolderSource(str(tmp_path / "wasps"), held_out=0.2).items()
    assert {item.species for item in flat} == {"wasps"}
    assert sorted(item.split for item in flat) == ["test", *["train"] * 4]


def test_two_pictures_of_one_name_have_two_keys(tmp_path):
    write_pair(tmp_path / "ant", "a")
    (tmp_path / "ant" / "a.jpg").write_bytes(b"")
    keys = {item.key for item in FolderSource(str(tmp_path), held_out=0).items()}
    assert len(keys) == 2


def test_unknown_species(photos, store):
    with pytest.raises(DataError, match="wasp"):
        FolderSource(str(photos), species=("ant", "wasp")).items()
    pack(FolderSource(str(photos)), store)
    with pytest.raises(DataError, match='did you mean "bee"'):
        load_rows(selection(store, species=("bees",)), 8)


def test_species_names_need_not_be_file_names(tmp_path, store):
    write_pair(tmp_path / "p" / "a b=c%", "x")
    write_pair(tmp_path / "p" / "a b=c%", "y")
    pack(FolderSource(str(tmp_path / "p"), held_out=0), store)
    assert load_rows(selection(store, species=("a b=c%",)), 8).keys == ("a b=c%/x", "a b=c%/y")
    assert verify(store) == []


def test_crop_keeps_picture_and_depth_aligned():
    column = np.arange(12) / 12
    depth = np.broadcast_to(4 + 2 * column, (8, 12)).copy()
    image = np.broadcast_to((column * 256).astype(np.uint8)[None, :, None], (8, 12, 3)).copy()
    small_image, small_depth = (
        decode(data) for decode, data in zip((decode_image, decode_depth), crop_and_encode(image, depth, 4), strict=True)
    )
    assert small_image.shape == (4, 4, 3)
    assert np.allclose(small_image[..., 0] / 256 * 2 + 4, small_depth, atol=2.1 / 12)
    assert small_depth.min() > 4.3
    assert small_depth.max() < 5.7


def test_resolution_of_packing_and_of_loading(tmp_path, store):
    write_pair(tmp_path / "p" / "ant", "x", size=(20, 12))
    write_pair(tmp_path / "p" / "ant", "y", size=(10, 30))
    manifest = pack(FolderSource(str(tmp_path / "p"), held_out=0, resolution=8), store)
    assert manifest.rows() == 2
    rows = load_rows(selection(store), 4)
    assert rows.images.shape == (2, 3, 4, 4)
    assert rows.depths.shape == (2, 1, 4, 4)
    assert verify(store) == []


def test_novel_truth_travels(store):
    config = ProceduralConfig(species=(0,), individuals=4, held_out=2, views=2, resolution=16)
    pack(ProceduralSource(config), store, strict=True)
    rows = load_rows(selection(store, "test"), 16)
    truth = rows.novel_truth(1)
    assert truth.rgb.shape == (2, 3, 16, 16)
    assert truth.covisible.shape == (2, 1, 16, 16)
    assert -1 <= truth.rgb.min() < truth.rgb.max() <= 1
    assert truth.yaw[0] != truth.yaw[1]
    assert not torch.equal(rows.novel_truth(0).rgb, truth.rgb)
    assert load_rows(selection(store, "train"), 16).novel_truth(0) is None
    assert verify(store) == []


def test_batches_are_scaled_and_mirrored(photos, store):
    pack(FolderSource(str(photos)), store)
    rows = load_rows(selection(store), 8)
    plain, mixed = rows.batch([2, 5]), rows.batch([2, 5], [False, True])
    assert plain.keys == [rows.keys[2], rows.keys[5]]
    assert plain.images.min() >= -1
    assert plain.images.max() <= 1
    assert mixed.images[0].equal(plain.images[0])
    assert mixed.images[1].equal(plain.images[1].flip(-1))
    assert mixed.depths[1].equal(plain.depths[1].flip(-1))


def damage_bytes(store, path):
    data = bytearray(store.read_bytes(path))
    data[200] ^= 0xFF
    store.write_bytes(path, bytes(data))


def damage_cut(store, path):
    store.write_bytes(path, store.read_bytes(path)[:-20])


def damage_delete(store, path):
    store.delete(path)


@pytest.mark.parametrize(
    ("damage", "says"),
    [(damage_bytes, "changed since it was packed"), (damage_cut, "not readable as Parquet"), (damage_delete, "is missing")],
)
def test_verify_finds_damage_and_packing_again_repairs(photos, store, damage, says):
    manifest = pack(FolderSource(str(photos)), store, options=SMALL)
    path = manifest.shards[2].path
    damage(store, path)
    problems = verify(store)
    assert says in " ".join(map(str, problems))
    assert {problem.uri for problem in problems} == {f"{store.uri}/{path}"}
    assert damage is not damage_bytes or {problem.row_group for problem in problems} == {None, 0}
    store.delete(path)
    assert pack(FolderSource(str(photos)), store, options=SMALL) == manifest
    assert verify(store) == []


def test_a_damaged_shard_is_named_when_it_is_read(photos, store):
    manifest = pack(FolderSource(str(photos)), store)
    damage_delete(store, next(shard.path for shard in manifest.shards if shard.split == "train"))
    with pytest.raises(DataError, match=r"part-00000\.parquet: is missing"):
        load_rows(selection(store), 8)


def test_a_flipped_bit_is_noticed_when_it_is_read(photos, store):
    manifest = pack(FolderSource(str(photos)), store)
    damage_bytes(store, next(shard.path for shard in manifest.shards if shard.split == "train"))
    with pytest.raises(DataError, match="row group 0: cannot be read"):
        load_rows(selection(store), 8)


def test_a_changed_dataset_is_refused(photos, store):
    pack(FolderSource(str(photos)), store)
    with pytest.raises(DataError, match="0123456789abcdef is asked for"):
        load_rows(Selection(store.uri, "0123456789abcdef", "train"), 8)
    with pytest.raises(DataError, match="no rows in split 'val'"):
        load_rows(selection(store, "val"), 8)
    with pytest.raises(DataError, match="no dataset here"):
        load_rows(Selection(store.child("none").uri, "", "train"), 8)


@pytest.mark.parametrize("spoil", ["text", "version", "format"])
def test_a_damaged_manifest_is_refused(photos, store, spoil):
    pack(FolderSource(str(photos)), store)
    record = json.loads(store.read_bytes("manifest.json"))
    record["format"] = 99 if spoil == "format" else record["format"]
    record["version"] = "0" * 16 if spoil == "version" else record["version"]
    store.write_bytes("manifest.json", b"{" if spoil == "text" else json.dumps(record).encode())
    with pytest.raises(DataError, match="pack the dataset again"):
        read_manifest(store)
