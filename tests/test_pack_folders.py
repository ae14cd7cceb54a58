"""Class folders: what is packed, what is left out and why."""

import io

import numpy as np
import pytest
from picture_files import encode_depth, write_pair
from PIL import Image

from g3dr.errors import DataError
from orchestrator.shards import FolderSource, PackOptions, Selection, pack, read_manifest, verify
from orchestrator.shards.loading import load_rows

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]

SMALL = PackOptions(rows_per_shard=3, row_group_rows=2)


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
        load_rows(Selection(store.uri, "", "train", ("bees",)), 8)


def test_species_names_need_not_be_file_names(tmp_path, store):
    write_pair(tmp_path / "p" / "a b=c%", "x")
    write_pair(tmp_path / "p" / "a b=c%", "y")
    pack(FolderSource(str(tmp_path / "p"), held_out=0), store)
    assert load_rows(Selection(store.uri, "", "train", ("a b=c%",)), 8).keys == ("a b=c%/x", "a b=c%/y")
    assert verify(store) == []
