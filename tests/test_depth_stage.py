"""`g3dr data depth`: depth maps come to rows that have none, and nothing else changes."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from picture_files import write_pair
from pyarrow import parquet
from tiny_depth_models import write_depth_anything
from typer.testing import CliRunner

from g3dr.depth import ProceduralEstimator
from g3dr.errors import DataError
from g3dr.pictures import decode_depth
from g3dr.procedural import ProceduralConfig
from orchestrator.cli.data import app
from orchestrator.depth.adding import DepthOptions, add_depth
from orchestrator.depth.recipes import Wishes
from orchestrator.depth.runners import run_here
from orchestrator.shards import FolderSource, PackOptions, Preparation, ProceduralSource, Selection, pack, read_manifest, verify
from orchestrator.shards.loading import load_rows
from orchestrator.shards.rows import rows_of_table
from orchestrator.store import StoreError, open_store

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]

ANIMALS = ProceduralConfig(species=(0, 3), individuals=5, held_out=1, views=1, resolution=16, supersampling=1, shadows=False)
SMALL = PackOptions(rows_per_shard=3, row_group_rows=2)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The same animals, packed with and without depth: two stores that are only read."""
    folder = tmp_path_factory.mktemp("packed")
    stores = {depth: open_store(str(folder / depth)) for depth in ("required", "none")}
    for depth, store in stores.items():
        pack(ProceduralSource(ANIMALS, Preparation(depth=depth)), store, options=SMALL)
    return stores


def add(dataset, destination, estimator="procedural", *, wishes=None, runner=run_here, progress=None, **options):
    """Calls `add_depth` with as few words as possible."""
    return add_depth(dataset, destination, estimator, wishes or Wishes(), options=DepthOptions(**options), runner=runner, progress=progress)


def rows_of(store):
    """Reads all rows of a dataset."""
    tables = [parquet.read_table(pa.BufferReader(store.read_bytes(shard.path))) for shard in read_manifest(store).shards]
    return [row for table in tables for row in rows_of_table(table)]


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_dataset_equals_one_that_was_packed_with_depth(packed, store):
    steps = []
    manifest = add(packed["none"], store, progress=lambda *step: steps.append(step))
    assert not read_manifest(packed["none"]).has_depth
    assert manifest.has_depth
    assert manifest.version == read_manifest(packed["required"]).version
    assert rows_of(store) == rows_of(packed["required"])
    assert (steps[0], steps[-1]) == ((0, 10), (10, 10))
    assert verify(store) == []
    ours, theirs = (load_rows(Selection(one.uri, "", "train"), 16).batch([0, 5]) for one in (store, packed["required"]))
    assert ours.images.equal(theirs.images)
    assert ours.depths.equal(theirs.depths)


def test_the_manifest_tells_who_estimated(packed, store):
    source = add(packed["none"], store).source
    assert source["kind"] == "depth"
    assert source["version"] == read_manifest(packed["none"]).version
    assert source["estimator"]["name"] == "procedural"
    assert source["of"]["kind"] == "procedural"
    assert source["mapping"]["version"] >= 1


def test_doing_it_again_does_nothing(packed, store, monkeypatch):
    first = add(packed["none"], store)
    monkeypatch.setattr(ProceduralEstimator, "estimate", None)
    assert add(packed["none"], store) == first


def counting(monkeypatch, until=None, error=KeyboardInterrupt):
    """Counts the pictures that are estimated, and raises `error` instead of estimating more than `until`."""
    real, seen = ProceduralEstimator.estimate, []

    def estimate(self, pictures):
        if until is not None and len(seen) + len(pictures) > until:
            raise error
        seen.extend(picture.key for picture in pictures)
        return real(self, pictures)

    monkeypatch.setattr(ProceduralEstimator, "estimate", estimate)
    return seen


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_is_interrupted_continues_and_estimates_no_shard_twice(packed, store, monkeypatch, error):
    counting(monkeypatch, until=5, error=error)
    with pytest.raises(StoreError if error is RuntimeError else KeyboardInterrupt) as raised:
        add(packed["none"], store, batch_size=2)
    if error is RuntimeError:
        assert "the estimator stopped at" in str(raised.value)
        assert "run the same command again to continue" in str(raised.value)
    assert read_manifest(store) is None
    # One test row each makes the first two shards; the third has three rows and was not finished.
    finished = len(store.list("packing"))
    assert finished >= 2
    monkeypatch.undo()
    seen = counting(monkeypatch)
    manifest = add(packed["none"], store, batch_size=2)
    assert manifest.version == read_manifest(packed["required"]).version
    assert len(seen) == 10 - sum(shard.rows for shard in manifest.shards[:finished])
    assert store.list("packing") == []


SLOW_DEPTH = """
import sys, time
from g3dr.depth import ProceduralEstimator
from orchestrator.cli.main import main
real = ProceduralEstimator.estimate
ProceduralEstimator.estimate = lambda self, pictures: (time.sleep(0.2), real(self, pictures))[1]
sys.argv = ["g3dr", "data", "depth", sys.argv[1], sys.argv[2], "--estimator", "procedural", "--engine", "local"]
main()
"""


def test_a_killed_command_continues(packed, store):
    repository = str(Path(__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([repository, os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_DEPTH, packed["none"].uri, store.uri], env=environment, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(store.list("packing")) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert 2 <= len(store.list("packing")) < 6
    assert read_manifest(store) is None
    assert add(packed["none"], store).version == read_manifest(packed["required"]).version
    assert verify(store) == []


class Fickle(ProceduralEstimator):
    """Fails for one picture, and sees another with holes."""

    def estimate(self, pictures):
        if any(picture.key.endswith("_00/0001") for picture in pictures):
            raise DataError("the light is bad")
        return [
            depth * np.nan if "_03/0002" in picture.key else depth
            for picture, depth in zip(pictures, super().estimate(pictures), strict=True)
        ]


def fickle(monkeypatch):
    monkeypatch.setattr("orchestrator.depth.recipes.procedural.ProceduralEstimator", Fickle)


def test_pictures_that_fail_are_left_out_with_their_reasons(packed, store, monkeypatch):
    fickle(monkeypatch)
    # An estimator stays in memory for its recipe: this one must not be another test's.
    monkeypatch.setattr("orchestrator.depth.source._estimator", lambda recipe, gpus: pickle.loads(recipe).build(gpus))
    manifest = add(packed["none"], store)
    assert manifest.rows() == 8
    reasons = {entry.key: entry.reason for entry in manifest.quarantine}
    assert sorted(key[-8:] for key in reasons) == ["_00/0001", "_03/0002"]
    assert any(reason.endswith("_00/0001: the light is bad") for reason in reasons.values())
    assert any("not finite numbers" in reason for reason in reasons.values())
    # The others of the same batch got their own maps.
    true = {row.example.key: row.example.depth for row in rows_of(packed["required"])}
    assert {row.example.key: row.example.depth for row in rows_of(store)} == {key: true[key] for key in true if key not in reasons}
    with pytest.raises(DataError, match="bird_03/0002: the estimated depth holds values that are not finite"):
        add(packed["none"], open_store(store.uri + "-strict"), strict=True)
    assert read_manifest(open_store(store.uri + "-strict")) is None


def test_a_damaged_dataset_is_refused_instead_of_left_out(packed, store, tmp_path):
    copy = open_store(str(tmp_path / "copy"))
    for name in packed["none"].list():
        copy.write_bytes(name, packed["none"].read_bytes(name))
    path = read_manifest(copy).shards[2].path
    data = bytearray(copy.read_bytes(path))
    data[len(data) // 3] ^= 0xFF
    copy.write_bytes(path, bytes(data))
    with pytest.raises((DataError, StoreError), match="part-00000"):
        add(copy, store)
    assert read_manifest(store) is None


@pytest.fixture
def halves(tmp_path):
    """Photographs of which only some have depth, packed, and their folder."""
    folder = tmp_path / "photos"
    for number in range(4):
        write_pair(folder / "ant", f"{number}", size=(12, 12))
    (folder / "ant" / "2_depth.png").rename(tmp_path / "2_depth.png")
    store = open_store(str(tmp_path / "halves"))
    pack(FolderSource(str(folder), held_out=0, depth="optional"), store)
    (tmp_path / "2_depth.png").rename(folder / "ant" / "2_depth.png")
    return store, folder


def test_depth_files_fill_the_gaps_and_pictures_keep_every_byte(halves, store):
    dataset, folder = halves
    others = Wishes(depth_root=str(folder))
    manifest = add(dataset, store, "files", wishes=others)
    assert manifest.has_depth
    before, after = rows_of(dataset), rows_of(store)
    assert [row.example.image for row in after] == [row.example.image for row in before]
    assert [row.example.depth for row in after if row.example.key != "ant/2"] == [
        row.example.depth for row in before if row.example.depth is not None
    ]
    for row in after:
        expected = decode_depth((folder / f"{row.example.key}_depth.png").read_bytes())
        assert np.array_equal(decode_depth(row.example.depth), expected)


def test_overwriting_estimates_all(halves, store):
    dataset, folder = halves
    write_pair(folder / "ant", "3", size=(12, 12), seed=9)
    kept = rows_of_after(add(dataset, store, "files", wishes=Wishes(depth_root=str(folder))), store)
    anew = rows_of_after(add(dataset, store, "files", wishes=Wishes(depth_root=str(folder)), overwrite=True), store)
    assert [key for key in kept if not np.array_equal(kept[key], anew[key])] == ["ant/3"]
    with pytest.raises(DataError, match="every row has a depth map already; --overwrite"):
        add(store, open_store(store.uri + "2"), "files", wishes=Wishes(depth_root=str(folder)))


def rows_of_after(_manifest, store):
    return {row.example.key: decode_depth(row.example.depth) for row in rows_of(store)}


def test_changed_depth_files_make_another_dataset(halves, store):
    dataset, folder = halves
    wishes = Wishes(depth_root=str(folder))
    first = add(dataset, store, "files", wishes=wishes)
    (folder / "ant" / "2_depth.png").write_bytes((folder / "ant" / "1_depth.png").read_bytes())
    assert add(dataset, store, "files", wishes=wishes).version != first.version


def test_in_place_makes_a_new_version_beside_the_old_one(packed, tmp_path):
    copy = open_store(str(tmp_path / "copy"))
    for name in packed["none"].list():
        copy.write_bytes(name, packed["none"].read_bytes(name))
    before = read_manifest(copy)
    for _ in range(2):
        result = invoke("depth", copy.uri, "--in-place", "--estimator", "procedural", "--engine", "local")
        assert result.exit_code == 0, result.exception
        assert f"version {read_manifest(packed['required']).version}" in result.output
        assert "Next: g3dr data show" in result.output
    assert read_manifest(copy, before.version) == before
    assert verify(copy) == []
    again = invoke("depth", copy.uri, "--in-place", "--estimator", "procedural", "--overwrite", "--engine", "local")
    assert again.exit_code == 0, again.exception
    assert read_manifest(copy).source["overwrite"] is True


def test_a_network_from_a_uri_through_the_command(halves, store, tmp_path, monkeypatch):
    monkeypatch.setenv("G3DR_CACHE", str(tmp_path / "cache"))
    model = write_depth_anything(tmp_path / "model")
    words = ["depth", halves[0].uri, store.uri, "--estimator", "transformers", "--engine", "local", "--device", "cpu", "--overwrite"]
    result = invoke(*words, "--weights", f"file://{model}", "--batch-size", 3)
    assert result.exit_code == 0, result.exception
    rows, manifest = rows_of(store), read_manifest(store)
    for row in rows:
        depth = decode_depth(row.example.depth)
        assert depth.shape == (12, 12)
        assert depth.min() >= 4
        assert depth.max() - depth.min() > 1.8
    assert manifest.source["estimator"]["architecture"] == "depth_anything"
    assert manifest.source["estimator"]["quantity"] == "disparity"
    # The same weights elsewhere are the same estimator: nothing is left to do.
    monkeypatch.setattr("g3dr.depth.models.ModelEstimator", None)
    assert invoke(*words, "--weights", model).exit_code == 0
    assert read_manifest(store) == manifest
