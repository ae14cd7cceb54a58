"""The report says who said how far away things are: a generator, an estimator, or whoever gave the depth maps."""

import pytest
from ledger_fixture import JsonStore, write_ledger
from page_reader import build

from orchestrator.report.depths import DepthOrigin, depth_origin, origin_of
from orchestrator.shards.manifest import Manifest, Shard

pytestmark = pytest.mark.unit

NETWORK = {"name": "network", "weights": "e90a49e3aaaabbbb", "side": 128}
BOOSTED = {"name": "boosted", "version": 1, "patches": 24, "of": NETWORK}
PUBLIC = {"name": "model", "architecture": "depth_anything", "weights": "abcdef0123"}
OURS = "depth estimated by g3dr-depth (weights e90a49e3)"
PHOTOGRAPHS = {"kind": "folder", "folder": "photos", "depth": "none"}


def depth_source(estimator, *, overwrite=False, of=PHOTOGRAPHS):
    """What packing records of a data set that went past an estimator."""
    return {"kind": "depth", "version": "0" * 16, "estimator": estimator, "mapping": {}, "overwrite": overwrite, "of": of}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"kind": "procedural", "code": "1", "species": [0]}, "exact depth"),
        ({"kind": "folder", "folder": "photos"}, "given depth"),
        (depth_source(NETWORK), OURS),
        (depth_source(BOOSTED), "depth estimated by g3dr-depth, boosted (weights e90a49e3)"),
        (depth_source(NETWORK, of={"kind": "folder", "depth": "optional"}), f"{OURS} where none was given"),
        (depth_source(NETWORK, overwrite=True, of={"kind": "folder"}), OURS),
        (depth_source(NETWORK, of={"kind": "procedural", "preparation": {"depth": "none"}}), OURS),
        (depth_source(PUBLIC), "depth estimated by depth_anything (weights abcdef01)"),
        (depth_source({"name": "files", "files": "12"}), "given depth"),
        (depth_source({"name": "procedural", "code": "1"}), "exact depth"),
    ],
)  # fmt: skip
def test_what_a_manifest_knows_is_said(source, told):
    assert origin_of(source).told == told


def test_a_data_set_that_is_gone_or_damaged_has_depth_from_somewhere(tmp_path):
    store = JsonStore(tmp_path)
    assert depth_origin(store.uri, "0" * 16) == DepthOrigin()
    store.write_bytes("manifest.json", b"{")
    assert depth_origin(store.uri, "0" * 16) == DepthOrigin()
    assert depth_origin("", "0" * 16) == DepthOrigin()


def page_with(tmp_path, source):
    """Builds the page of a study whose data set has this source; returns the page and the summary."""
    store = JsonStore(tmp_path)
    write_ledger(store, truth=False)
    manifest = Manifest(source, "f" * 16, (Shard("a.parquet", "test", "fish_01", 0, (4,), 9, "1" * 64, "2" * 64),))
    store.write_bytes("datasets/animals-0f0f0f0f/manifest.json", manifest.to_json())
    for path in (*store.list("experiments"), *store.list("runs")):
        if path.endswith(".json"):
            text = store.read_bytes(path).decode().replace("d41d8cd98f00b204", manifest.version)
            store.write_bytes(path, text.replace('"uri": "datasets', f'"uri": "{tmp_path}/datasets').encode())
    return build(store)


def test_the_page_names_the_estimator_in_the_origin_above_the_maps_and_in_the_cautions(tmp_path):
    page, summary = page_with(tmp_path, depth_source(NETWORK))
    assert summary["datasets"]["animals"]["depth"] == OURS
    assert f"368 images, {OURS}" in page.text
    assert "The depth of animals is an estimate" in page.text
    alternatives = {attributes["alt"] for tag, attributes in page.tags if tag == "img"}
    assert "Estimated depth of fish_01/0000" in alternatives
    assert not any(text.startswith("Given depth") for text in alternatives)


def test_procedural_depth_is_called_exact(tmp_path):
    page, summary = page_with(tmp_path, {"kind": "procedural", "species": [0]})
    assert summary["datasets"]["animals"]["depth"] == "exact depth"
    assert any(attributes.get("alt") == "Exact depth of fish_01/0000" for _, attributes in page.tags)
    assert "is an estimate" not in page.text
