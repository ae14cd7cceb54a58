"""Shards are read again after a passing fault, and refused when they are not the ones that were packed."""

import dataclasses

import pytest
from stream_fixture import SIZE, pictures, reader, small_dataset

from benchmarks.shards import write_dataset
from g3dr.errors import DataError
from orchestrator.shards import shard_file
from orchestrator.shards.checksums import group_checksums
from orchestrator.shards.loading import load_rows
from orchestrator.shards.manifest import MANIFEST, parse_manifest, read_manifest
from orchestrator.shards.rows import encode_shard
from orchestrator.store import open_store

pytestmark = pytest.mark.unit
ROWS = 24


@pytest.fixture
def selection(tmp_path, monkeypatch):
    shard_file._open.cache_clear()
    monkeypatch.setattr(shard_file, "_PAUSES", (0.0, 0.0))
    return small_dataset(tmp_path / "set", ROWS)


def shards(selection):
    store = open_store(selection.dataset)
    return store, read_manifest(store).shards


def consume(selection):
    return [key for batch in reader(selection).batches(0, 6) for key in batch.keys]


def rows_of(store, path):
    from pyarrow import BufferReader, parquet

    from orchestrator.shards.rows import rows_of_table

    return rows_of_table(parquet.read_table(BufferReader(store.read_bytes(path)), partitioning=None))


def test_a_shard_with_other_rows_of_the_same_size_is_refused(selection):
    store, (first, *_) = shards(selection)
    rows = rows_of(store, first.path)
    # Two rows change places: a valid file with the same size, the same footer and other page checksums.
    rows[0], rows[1] = rows[1], rows[0]
    exchanged = encode_shard(rows, 4)
    assert len(exchanged) == first.bytes
    assert group_checksums(exchanged)[1:] == first.checksums[1:]
    store.write_bytes(first.path, exchanged)
    with pytest.raises(DataError, match=r"part-00000.parquet, row group 0: changed since it was packed"):
        consume(selection)


def test_a_shard_of_another_size_is_refused_before_anything_is_read(selection):
    store, (first, *_) = shards(selection)
    store.write_bytes(first.path, encode_shard(rows_of(store, first.path)[:-1], 4))
    with pytest.raises(DataError, match=rf"changed since it was packed: \d+ bytes, {first.bytes} bytes expected"):
        load_rows(selection, SIZE)


def test_a_dataset_without_checksums_is_read_and_its_pages_are_checked(selection):
    store = open_store(selection.dataset)
    manifest = read_manifest(store)
    older = dataclasses.replace(manifest, shards=tuple(dataclasses.replace(shard, checksums=()) for shard in manifest.shards))
    store.write_bytes(MANIFEST, older.to_json())
    assert older.version == manifest.version
    assert len(set(consume(selection))) == ROWS
    shard_file._open.cache_clear()
    data = bytearray(store.read_bytes(older.shards[0].path))
    data[data.find(b"\x89PNG") + 20] ^= 1
    store.write_bytes(older.shards[0].path, bytes(data))
    with pytest.raises(DataError, match="cannot be read"):
        consume(selection)


def test_a_manifest_that_is_older_than_checksums_can_be_read(selection):
    import json

    record = json.loads(open_store(selection.dataset).read_bytes(MANIFEST))
    for shard in record["shards"]:
        del shard["checksums"], shard["rows_without_depth"]
    manifest, version = parse_manifest(record)
    assert manifest.version == version == selection.version
    assert manifest.shards[0].checksums == ()


def test_a_passing_fault_changes_nothing(selection, monkeypatch):
    undisturbed, faults = consume(selection), iter(range(10**6))
    read = shard_file.ShardFile.read

    def unreliable(self, group, columns):
        if next(faults) % 3 != 2:
            raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation\nand more")
        return read(self, group, columns)

    monkeypatch.setattr(shard_file.ShardFile, "read", unreliable)
    monkeypatch.setattr("orchestrator.shards.reading._THREADS", 1)
    assert consume(selection) == undisturbed
    assert next(faults) > 15


def test_a_lasting_fault_is_one_sentence(selection, monkeypatch):
    def broken(self, group, columns):
        raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation\nand more")

    monkeypatch.setattr(shard_file.ShardFile, "read", broken)
    with pytest.raises(DataError, match=r"row group \d+: cannot be read \(AWS Error NETWORK_CONNECTION during GetObject operation\)$"):
        consume(selection)


def test_rows_without_depth_are_refused_with_what_to_do(tmp_path):
    with_depth, without = pictures(6), [dataclasses.replace(one, depth=None) for one in pictures(6)]
    for originals, sentence in ((without, "has no depth maps; add them with"), (with_depth[:3] + without[3:], "3 of 6 rows have no depth")):
        folder = tmp_path / sentence[:5]
        selection = write_dataset(str(folder), originals, rows=6, resolution=SIZE, rows_per_shard=6)
        with pytest.raises(DataError, match=sentence):
            consume(selection)


def test_columns_that_nobody_needs_are_not_read(selection, monkeypatch):
    asked = []
    read = shard_file.ShardFile.read

    def noted(self, group, columns):
        asked.append(tuple(columns))
        return read(self, group, columns)

    monkeypatch.setattr(shard_file.ShardFile, "read", noted)
    consume(selection)
    assert set(asked) == {("key", "species", "image", "depth")}
