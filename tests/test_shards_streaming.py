"""Batches in training order: memory and stream agree, for any number of workers, from any step."""

import numpy as np
import pytest

from g3dr.errors import DataError
from g3dr.pictures import encode_depth, encode_image
from orchestrator.shards import FolderSource, PackOptions, Selection, pack
from orchestrator.shards.loading import load_rows
from orchestrator.shards.streaming import Reader, stream
from orchestrator.store import open_store

SIZE, BATCH, STEPS = 4, 8, 12


def write_photos(folder):
    chance = np.random.default_rng(0)
    for number in range(37):
        species = folder / ("ant", "bee", "wasp")[number % 3]
        species.mkdir(parents=True, exist_ok=True)
        (species / f"{number:02d}.png").write_bytes(encode_image(chance.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)))
        (species / f"{number:02d}_depth.png").write_bytes(encode_depth(chance.uniform(4, 6, (SIZE, SIZE))))
    return FolderSource(str(folder), held_out=0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="module")
def selection(photos, tmp_path_factory):
    store = open_store(str(tmp_path_factory.mktemp("data") / "set"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.shards.execution.ray_is_up", lambda: False)
        manifest = pack(photos, store, options=PackOptions(row_group_rows=3))
    return Selection(store.uri, manifest.version, "train")


def reader(selection, source, **changes):
    return Reader(
        **{"selection": selection, "seed": 3, "batch_size": BATCH, "resolution": SIZE, "source": source, "engine": "pyarrow", **changes}
    )


def assert_equal(ones, others):
    for one, other in zip(ones, others, strict=True):
        assert list(one.keys) == list(other.keys)
        assert list(one.species) == list(other.species)
        assert one.images.equal(other.images)
        assert one.depths.equal(other.depths)


@pytest.fixture
def without_ray(monkeypatch):
    """Another test may have started a cluster in this process."""
    monkeypatch.setattr("orchestrator.shards.execution.ray_is_up", lambda: False)


@pytest.mark.unit
@pytest.mark.parametrize("source", ["memory", "stream"])
def test_every_key_once_per_epoch(selection, source):
    keys = [key for batch in reader(selection, source, batch_size=37).batches(0, 3) for key in batch.keys]
    assert len(keys) == 3 * 37
    assert all(len(set(keys[start : start + 37])) == 37 for start in (0, 37, 74))


@pytest.mark.unit
@pytest.mark.parametrize("flip", [False, True])
def test_memory_equals_stream(selection, flip):
    assert_equal(reader(selection, "memory", flip=flip).batches(0, STEPS), reader(selection, "stream", flip=flip).batches(0, STEPS))


@pytest.mark.unit
@pytest.mark.parametrize("source", ["memory", "stream"])
@pytest.mark.parametrize("start", [1, 4, 5, 11])
def test_resumes_at_any_step(selection, source, start):
    whole = list(reader(selection, source).batches(0, STEPS))
    assert_equal(whole[start:], reader(selection, source).batches(start, STEPS - start))


@pytest.mark.unit
@pytest.mark.parametrize("source", ["memory", "stream"])
@pytest.mark.parametrize("world_size", [2, 4])
def test_workers_together_see_the_batches_of_one(selection, source, world_size):
    whole = [list(batch.keys) for batch in reader(selection, source).batches(2, STEPS)]
    parts = [list(reader(selection, source, rank=rank, world_size=world_size).batches(2, STEPS)) for rank in range(world_size)]
    for step, keys in enumerate(whole):
        assert [[part[step].keys[index] for part in parts] for index in range(BATCH // world_size)] == np.reshape(
            keys, (-1, world_size)
        ).tolist()


@pytest.mark.unit
def test_the_short_form_and_the_default_are_the_same(selection, without_ray):
    short = stream(selection, seed=3, start_step=1, steps=2, batch_size=BATCH, resolution=SIZE)
    assert_equal(short, reader(selection, "auto").batches(1, 2))
    assert_equal(reader(selection, "auto", memory_bytes=10).batches(1, 2), reader(selection, "auto").batches(1, 2))


@pytest.mark.unit
def test_no_steps_are_no_batches(selection):
    assert [list(reader(selection, source).batches(5, 0)) for source in ("memory", "stream")] == [[], []]


@pytest.mark.unit
def test_a_batch_must_divide_among_the_workers(selection):
    with pytest.raises(DataError, match="a multiple of the 3 workers"):
        reader(selection, "memory", world_size=3)


@pytest.mark.data
def test_the_same_from_s3(photos, selection, s3_uri):
    store = open_store(s3_uri)
    manifest = pack(photos, store, options=PackOptions(row_group_rows=3))
    assert manifest.version == selection.version
    remote = Selection(s3_uri, manifest.version, "train")
    assert_equal(reader(remote, "stream").batches(3, 6), reader(selection, "stream").batches(3, 6))


@pytest.mark.ray
def test_ray_data_packs_the_same_bytes(ray_session, photos, selection, tmp_path):
    store = open_store(str(tmp_path / "set"))
    manifest = pack(photos, store, options=PackOptions(row_group_rows=3))
    here = open_store(selection.dataset)
    assert [store.read_bytes(name) for name in store.list("shards")] == [here.read_bytes(name) for name in here.list("shards")]
    assert manifest.shards == selection.manifest().shards


@pytest.mark.ray
def test_ray_data_loads_and_streams_the_same(ray_session, selection):
    here, there = load_rows(selection, SIZE, engine="pyarrow"), load_rows(selection, SIZE, engine="ray")
    assert there.keys == here.keys
    assert there.images.equal(here.images)
    for start in (0, 7):
        expected = reader(selection, "memory", rank=1, world_size=2).batches(start, STEPS)
        assert_equal(reader(selection, "stream", engine="ray", rank=1, world_size=2).batches(start, STEPS), expected)


@pytest.mark.ray
def test_damage_comes_through_ray_in_one_sentence(ray_session, photos, tmp_path):
    store = open_store(str(tmp_path / "set"))
    manifest = pack(photos, store, options=PackOptions(row_group_rows=3))
    store.delete(manifest.shards[1].path)
    with pytest.raises(DataError, match=r"species=bee/part-00000.parquet: is missing") as caught:
        load_rows(Selection(store.uri, manifest.version, "train"), SIZE, engine="ray")
    assert "\n" not in str(caught.value)


@pytest.mark.ray
def test_strict_packing_on_ray_leaves_nothing(ray_session, tmp_path):
    broken = write_photos(tmp_path / "photos")
    (tmp_path / "photos" / "bee" / "01_depth.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"01_depth\.png: "):
        pack(broken, open_store(str(tmp_path / "set")), strict=True)
    assert not (tmp_path / "set").exists()


@pytest.mark.ray
def test_ray_data_reads_s3(ray_session, photos, selection, s3, s3_uri):
    # The cluster is older than the server, so its workers learn where that is from the task's environment.
    remote = Selection(s3_uri, "", "train")

    @ray_session.remote(num_cpus=0.1, runtime_env={"env_vars": s3.environment})
    def keys():
        pack(photos, open_store(s3_uri), options=PackOptions(row_group_rows=3))
        return load_rows(remote, SIZE, engine="ray").keys

    assert ray_session.get(keys.remote(), timeout=120) == load_rows(selection, SIZE, engine="pyarrow").keys
