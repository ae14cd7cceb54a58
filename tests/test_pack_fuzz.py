"""Five hundred files of every bad kind in one folder: each is right in the shard or left out with a sentence that names it."""

import io
import unicodedata
from collections import Counter

import numpy as np
import pytest
from fuzzed_files import write_all
from PIL import Image, ImageOps

from g3dr.pictures import decode_depth, decode_image
from orchestrator.shards import FolderSource, pack
from orchestrator.shards.rows import rows_of_table
from orchestrator.shards.trees import clean_name
from orchestrator.store import open_store

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("ignore")]

COUNT = 500


def seen_by_pillow(data):
    """Returns what a picture shows, by Pillow alone; what is transparent becomes white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode.startswith("I"):
        return np.stack([np.asarray(image) // 256] * 3, axis=-1).astype(np.uint8)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB"))
    return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    return folder, write_all(folder / "photos", COUNT, seed=2026)


@pytest.fixture(scope="module")
def packed(inputs):
    folder, _ = inputs
    store = open_store(str(folder / "set"))
    source = FolderSource(str(folder / "photos"), held_out=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.shards.execution.ray_is_up", lambda: False)
        return source, store, pack(source, store)


@pytest.fixture(scope="module")
def outcomes(inputs, packed):
    """Row or reason of every input, by its path."""
    from pyarrow import parquet

    source, store, manifest = packed
    rows = {row.example.key: row for shard in manifest.shards for row in rows_of_table(parquet.read_table(store.open_file(shard.path)))}
    reasons = {entry.key: entry.reason for entry in manifest.quarantine}
    items = {f"{source.path}/{item.image.path}": item for item in source.items()}
    found = {path: (rows.get(item.key), reasons.get(item.key)) for path, item in items.items()}
    assert len(rows) + len(reasons) == len(found) == len({item.key for item in items.values()})
    return found


def test_every_file_ends_in_the_shard_or_in_quarantine(inputs, outcomes):
    _, made = inputs
    ends = Counter()
    for one in made:
        row, reason = outcomes[one.path]
        assert (row is None) != (reason is None), one.kind
        end = "row" if row is not None else "left out"
        ends[one.kind, end] += 1
        assert one.expected in {end, "either"}, f"{one.kind}: {one.path} is {end} ({reason})"
    assert len(made) == COUNT
    assert {end for kind, end in ends if kind == "bit flips"} == {"row", "left out"}
    assert {end for kind, end in ends if kind == "rotated"} == {"row", "left out"}
    assert ends["twin", "row"] > 20
    assert sum("~" in row.example.key for row, _ in outcomes.values() if row is not None) >= 1


def test_what_is_packed_is_what_pillow_sees(inputs, outcomes):
    _, made = inputs
    checked = 0
    for one in made:
        row, _ = outcomes[one.path]
        if row is None:
            continue
        image, expected = decode_image(row.example.image), seen_by_pillow(one.image)
        assert image.shape == expected.shape == (row.height, row.width, 3), one.kind
        # A JPEG that had to be turned was written once more.
        error = np.abs(image.astype(int) - expected).mean()
        assert error <= (3 if one.kind == "rotated" else 0), f"{one.kind}: {one.path}"
        assert one.kind == "rotated" or row.example.image == one.image
        assert np.array_equal(decode_depth(row.example.depth), one.upright_depth), f"{one.kind}: {one.path}"
        checked += 1
    assert checked > COUNT // 3


def test_every_reason_is_a_sentence_that_names_the_file(inputs, outcomes):
    _, made = inputs
    for one in made:
        _, reason = outcomes[one.path]
        if reason is not None:
            assert reason.startswith(f"{clean_name(one.path)}: "), reason
            assert "\n" not in reason
            assert "Traceback" not in reason
            assert len(reason) < len(one.path) + 300
            assert reason.isprintable()
            reason.encode()


def test_packing_the_same_again_gives_the_same(packed, tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.shards.execution.ray_is_up", lambda: False)
    source, _, manifest = packed
    assert pack(source, open_store(str(tmp_path / "again"))) == manifest


def test_names_are_composed_and_printable(outcomes):
    for row, _ in outcomes.values():
        if row is not None:
            assert row.example.key == unicodedata.normalize("NFC", row.example.key)
            assert row.example.key.isprintable()
