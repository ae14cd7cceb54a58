"""Folders, tar files and object storage as trees of pictures; depth maps beside them or in a tree of their own."""

import gzip
import os
import pickle
import shutil

import numpy as np
import pytest
from picture_files import encode_depth
from source_files import tar_of

from g3dr.errors import DataError
from orchestrator.shards import FolderSource, pack
from orchestrator.shards.sources.opening import Wishes, open_source
from orchestrator.store import open_store

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]


@pytest.mark.parametrize("suffix", ["_depth.png", ".png"])
def test_depth_maps_in_a_parallel_tree(photos, store, tmp_path, suffix):
    beside = pack(FolderSource(str(photos)), store)
    for path in list(photos.rglob("*_depth.png")):
        target = tmp_path / "depth" / path.parent.name / path.name.replace("_depth.png", suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    apart = FolderSource(str(photos), depth_root=str(tmp_path / "depth"))
    assert pack(apart, open_store(str(tmp_path / "other"))).version == beside.version
    next((tmp_path / "depth" / "ant").iterdir()).unlink()
    assert "no depth map" in pack(apart, store).quarantine[0].reason


def test_depth_of_another_size_in_the_parallel_tree_is_named(photos, store, tmp_path):
    (tmp_path / "depth" / "ant").mkdir(parents=True)
    (tmp_path / "depth" / "ant" / "00.png").write_bytes(encode_depth(np.full((3, 3), 5.0)))
    manifest = pack(FolderSource(str(photos), depth_root=str(tmp_path / "depth"), depth="optional"), store)
    assert [entry.key for entry in manifest.quarantine] == ["ant/00"]
    assert "the depth map is 3 x 3, its picture 8 x 8" in manifest.quarantine[0].reason


@pytest.mark.parametrize("kind", ["plain", "gz", "tgz", "below a folder", "./"])
def test_a_tar_file_is_the_same_dataset_as_its_folder(photos, store, tmp_path, kind):
    expected = pack(FolderSource(str(photos)), store)
    target = tmp_path / {"gz": "photos.tar.gz", "tgz": "photos.tgz"}.get(kind, "photos.tar")
    inside = {"below a folder": "some/".replace("some", "photos"), "./": "./"}.get(kind, "")
    tar_of(photos, target, "w:gz" if "gz" in kind else "w", inside)
    source = FolderSource(str(target))
    assert pack(source, open_store(str(tmp_path / "other"))).version == expected.version
    assert pickle.loads(pickle.dumps(source)) == source


def test_a_tar_file_of_each_class(photos, store, tmp_path):
    expected = pack(FolderSource(str(photos)), store)
    (tmp_path / "tars").mkdir()
    for species in ("ant", "bee"):
        tar_of(photos / species, tmp_path / "tars" / f"{species}.tar")
    for name in (str(tmp_path / "tars"), str(tmp_path / "tars" / "*.tar")):
        shutil.rmtree(tmp_path / "other", ignore_errors=True)
        assert pack(FolderSource(name), open_store(str(tmp_path / "other"))).version == expected.version


def test_tar_files_that_cannot_be_read(photos, tmp_path):
    tar_of(photos, tmp_path / "whole.tar")
    data = (tmp_path / "whole.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.tar").write_bytes(b"not a tar file" * 100)
    (tmp_path / "cut.tar.gz").write_bytes(gzip.compress(data)[:-2000])
    for name in ("cut.tar", "text.tar", "cut.tar.gz"):
        with pytest.raises(DataError, match=f"{name}: .*damaged"):
            FolderSource(str(tmp_path / name)).items()
    with pytest.raises(DataError, match="no such tar file"):
        FolderSource(str(tmp_path / "absent.tar")).items()
    with pytest.raises(DataError, match="no tar file fits"):
        FolderSource(str(tmp_path / "absent*.tar")).items()


def test_links_are_followed_but_not_in_circles(photos, tmp_path):
    expected = {item.key for item in FolderSource(str(photos)).items()}
    (tmp_path / "view").mkdir()
    for species in ("ant", "bee"):
        (tmp_path / "view" / species).symlink_to(photos / species)
    (photos / "ant" / "again").symlink_to(photos)
    keys = {item.key for item in FolderSource(str(tmp_path / "view")).items()}
    assert expected <= keys
    assert len(keys) < 3 * len(expected)


def test_hidden_files_are_not_looked_at(photos):
    expected = FolderSource(str(photos)).items()
    for name in ("._03.png", ".hidden.jpg", "__MACOSX/03.jpg"):
        path = photos / "ant" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no picture")
    assert FolderSource(str(photos)).items() == expected


def test_a_folder_that_may_not_be_listed_is_one_sentence(photos, monkeypatch):
    real = os.scandir

    def refused(path):
        if str(path).endswith("bee"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("os.scandir", refused)
    with pytest.raises(DataError, match=r"bee: the folder cannot be listed \(Permission denied\)"):
        FolderSource(str(photos)).items()


@pytest.mark.data
def test_pictures_in_object_storage(photos, tmp_path, s3_uri, store):
    expected = pack(FolderSource(str(photos)), store)
    bucket = open_store(f"{s3_uri}/photos")
    for path in photos.rglob("*.png"):
        bucket.write_bytes(path.relative_to(photos).as_posix(), path.read_bytes())
    assert pack(FolderSource(bucket.uri), open_store(f"{s3_uri}/set")).version == expected.version
    tar_of(photos, tmp_path / "photos.tar")
    bucket.write_bytes("all/photos.tar", (tmp_path / "photos.tar").read_bytes())
    assert pack(FolderSource(f"{bucket.uri}/all/photos.tar"), open_store(str(tmp_path / "third"))).version == expected.version
    assert pack(open_source(f"{s3_uri}/set", Wishes({})), open_store(str(tmp_path / "copy"))).version == expected.version
