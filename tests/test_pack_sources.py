"""Another dataset and the generator as sources; which kind of source a name means."""

from dataclasses import replace

import pytest
from source_files import tar_of

from g3dr.errors import ConfigError, DataError
from g3dr.pictures import decode_depth, decode_image
from g3dr.procedural import ProceduralConfig
from orchestrator.shards import DatasetSource, FolderSource, PackOptions, Preparation, ProceduralSource, pack, read_manifest, verify
from orchestrator.shards.rows import content_digest, rows_of_table
from orchestrator.shards.sources.opening import Wishes, open_source, parse_procedural
from orchestrator.store import open_store

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]


def rows_in(store):
    from pyarrow import parquet

    manifest = read_manifest(store)
    return {row.example.key: row for shard in manifest.shards for row in rows_of_table(parquet.read_table(store.open_file(shard.path)))}


def test_subsets_are_drawn_by_species_and_split_and_grow_by_adding(photos):
    source = FolderSource(str(photos), held_out=0.3)
    keys = {size: {item.key for item in replace(source, subset=size).items()} for size in (0.25, 3, 5, 100)}
    assert [len(keys[size]) for size in (0.25, 3, 5, 100)] == [4, 6, 10, 14]
    assert keys[3] < keys[5] < keys[100]
    assert {item.split for item in replace(source, subset=3).items()} == {"train", "test"}
    assert {item.key for item in replace(source, subset=3, seed=1).items()} != keys[3]
    for wrong in (0, -1, 2.5):
        with pytest.raises(ConfigError, match="subset"):
            replace(source, subset=wrong)


def test_a_dataset_packed_again_is_the_same(photos, store, tmp_path):
    first = pack(FolderSource(str(photos)), store, options=PackOptions(5, 2))
    copy = open_store(str(tmp_path / "copy"))
    again = pack(DatasetSource(store.uri), copy, options=PackOptions(5, 2))
    assert again.version == first.version
    assert again.source["version"] == first.version
    other = pack(DatasetSource(store.uri), open_store(str(tmp_path / "other")), options=PackOptions(3, 3))
    assert {key: content_digest([row]) for key, row in rows_in(copy).items()} == {
        key: content_digest([row]) for key, row in rows_in(open_store(str(tmp_path / "other"))).items()
    }
    assert other.rows() == first.rows()


def test_a_dataset_filtered_cut_down_and_split_anew(photos, store, tmp_path):
    pack(FolderSource(str(photos), held_out=0.3), store)
    target = open_store(str(tmp_path / "part"))
    source = DatasetSource(store.uri, species=("bee",), subset=5, held_out=0.4, seed=3)
    manifest = pack(source, target)
    assert manifest.species() == ("bee",)
    assert manifest.rows() == 5
    assert manifest.rows("test") == 2
    assert pack(source, open_store(str(tmp_path / "again"))).version == manifest.version
    whole = rows_in(store)
    for key, row in rows_in(target).items():
        assert (row.example.image, row.example.depth) == (whole[key].example.image, whole[key].example.depth)
    with pytest.raises(DataError, match='did you mean "bee"'):
        pack(DatasetSource(store.uri, species=("bees",)), target)


def test_a_dataset_resized_with_its_novel_views(store, tmp_path):
    config = ProceduralConfig(species=(0,), individuals=2, held_out=1, views=2, resolution=16)
    pack(ProceduralSource(config), store)
    target = open_store(str(tmp_path / "small"))
    pack(DatasetSource(store.uri, preparation=Preparation(resolution=8)), target)
    assert verify(target) == []
    row = next(row for row in rows_in(target).values() if row.example.views)
    pictures = [row.example.image, *(view.image for view in row.example.views)]
    assert {decode_image(picture).shape for picture in pictures} == {(8, 8, 3)}
    assert {decode_depth(view.depth).shape for view in row.example.views} == {(8, 8)}


def test_damage_in_the_other_dataset_is_left_out_and_named(photos, store, tmp_path):
    manifest = pack(FolderSource(str(photos), held_out=0), store, options=PackOptions(row_group_rows=2))
    path = manifest.shards[0].path
    data = bytearray(store.read_bytes(path))
    data[data.index(b"IDAT") + 20] ^= 0xFF
    store.write_bytes(path, bytes(data))
    again = pack(DatasetSource(store.uri), open_store(str(tmp_path / "again")))
    assert again.rows() == 12
    assert {entry.key for entry in again.quarantine} == {"ant/00", "ant/01"}
    assert all(f"{path}, row group 0" in entry.reason for entry in again.quarantine)


def test_the_kind_of_source_follows_from_what_is_there(photos, store, tmp_path):
    pack(FolderSource(str(photos)), store)
    tar_of(photos, tmp_path / "photos.tar")
    assert isinstance(open_source(str(photos), Wishes({})), FolderSource)
    assert isinstance(open_source(str(tmp_path / "photos.tar"), Wishes({"held_out": 0.5})), FolderSource)
    assert open_source(store.uri, Wishes({"subset": 2})) == DatasetSource(store.uri, subset=2, preparation=Preparation(depth="optional"))
    assert open_source("procedural:", Wishes({})) == ProceduralSource(ProceduralConfig())
    with pytest.raises(ConfigError, match=r"--layout.*no meaning for a dataset"):
        open_source(store.uri, Wishes({"layout": "imagenet"}))
    with pytest.raises(DataError, match="no dataset here, so it has no version"):
        open_source(str(photos), Wishes({}, version="12"))


def test_the_generator_has_options():
    made = parse_procedural("procedural:species=0,9:individuals=20:held_out=2:shadows=false:view_yaw=0.2")
    assert made == ProceduralConfig(species=(0, 9), individuals=20, held_out=2, shadows=False, view_yaw=0.2)
    for text, says in (("individual=3", 'did you mean "individuals"'), ("species=fish", "0,1,2"), ("held_out=500", "held_out")):
        with pytest.raises(ConfigError, match=says):
            parse_procedural(f"procedural:{text}")


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "owl.jpg").write_bytes(b"picture")
    with pytest.raises(DataError, match=r"owl\.jpg: a file, but not a tar file; allowed: a folder of pictures, a tar file"):
        open_source(str(tmp_path / "owl.jpg"), Wishes({}))
