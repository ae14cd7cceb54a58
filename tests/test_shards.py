"""Datasets as they are read: loaded, verified, damaged, changed."""

import json

import numpy as np
import pytest
import torch

from g3dr.errors import DataError
from g3dr.pictures import decode_depth, decode_image
from g3dr.procedural import ProceduralConfig
from orchestrator.shards import FolderSource, PackOptions, ProceduralSource, Selection, pack, read_manifest, verify
from orchestrator.shards.loading import load_rows

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]

SMALL = PackOptions(rows_per_shard=3, row_group_rows=2)


def selection(store, split="train", species=None):
    return Selection(store.uri, read_manifest(store).version, split, species)


def test_packs_loads_and_verifies(photos, store):
    steps = []
    manifest = pack(FolderSource(str(photos), held_out=0.3), store, options=SMALL, progress=lambda *step: steps.append(step))
    assert read_manifest(store) == manifest
    assert (manifest.rows("train"), manifest.rows("test"), manifest.quarantine) == (10, 4, ())
    assert steps[0] == (0, 14)
    assert steps[-1] == (14, 14)
    assert len(manifest.shards) == 6
    assert verify(store) == []
    rows = load_rows(selection(store), 8)
    assert list(rows.keys) == sorted(rows.keys)
    name = rows.keys[4]
    assert np.array_equal(rows.images[4].permute(1, 2, 0).numpy(), decode_image((photos / f"{name}.png").read_bytes()))
    assert np.array_equal(rows.depths[4, 0].numpy(), decode_depth((photos / f"{name}_depth.png").read_bytes()))
    assert load_rows(selection(store, species=("bee",)), 8).species == ("bee",) * 5
    assert store.list("packing") == []


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
    data[data.index(b"IDAT") + 20] ^= 0xFF
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
    with pytest.raises(DataError, match="row group 0: c"):
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
