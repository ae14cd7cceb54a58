"""Crops and sizes that keep picture and depth map aligned to the pixel; pictures that ask to be turned."""

import numpy as np
import pytest
from picture_files import encode_depth, encode_image, smooth, turned, write_pair

from g3dr.errors import DataError
from g3dr.examples import RgbdExample
from g3dr.pictures import decode_depth, decode_image, orientation_of
from orchestrator.shards import FolderSource, Preparation, Selection, pack, verify
from orchestrator.shards.cropping import crop_and_encode
from orchestrator.shards.loading import load_rows
from orchestrator.shards.preparing import prepared
from orchestrator.shards.rows import Row, content_digest

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("without_ray")]


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
    rows = load_rows(Selection(store.uri, "", "train"), 4)
    assert rows.images.shape == (2, 3, 4, 4)
    assert rows.depths.shape == (2, 1, 4, 4)
    assert verify(store) == []


def scene(width, height, edge):
    """A picture and depth map whose only edges are the same: black and near on the left of a slanted line, white and far right of it."""
    rows, columns = np.mgrid[0:height, 0:width]
    right = columns + 0.5 > edge * width + 0.3 * (rows - height / 2)
    return np.where(right, 255, 0).astype(np.uint8)[..., None].repeat(3, axis=2), np.where(right, 5.5, 4.5).astype(np.float32)


@pytest.mark.parametrize("crop", ["centre", "none", "pad"])
@pytest.mark.parametrize("size", [(90, 60), (61, 97), (128, 128), (33, 20)])
@pytest.mark.parametrize("resolution", [16, 20, 24])
def test_edges_of_depth_and_colour_stay_on_the_same_pixel(crop, size, resolution):
    image, depth = scene(*size, edge=0.55)
    row = prepared(RgbdExample("k", "s", "train", encode_image(image), encode_depth(depth)), Preparation(resolution, crop))
    small, near = decode_image(row.example.image)[..., 0], decode_depth(row.example.depth) < 5
    assert small.shape == near.shape == (row.height, row.width)
    assert min(small.shape) == resolution
    padded = np.isclose(decode_depth(row.example.depth), 6, atol=1e-4)
    # Where the edge cuts a pixel into halves, give or take one pixel of the original, its middle may lie on either side.
    ratio = (max(size) if crop == "pad" else min(size)) / resolution
    clear = (np.abs(small.astype(int) - 127) >= min(126, 255 / ratio)) & ~padded
    assert np.array_equal((small < 127)[clear], near[clear])
    assert clear.sum() > 0.8 * (~padded).sum()
    assert 0.1 < near.mean() < 0.9
    assert padded.any() == (crop == "pad" and size[0] != size[1])
    assert (small[padded] > 127).all() or size[0] == size[1]


@pytest.mark.parametrize(("crop", "shape"), [("centre", (12, 12)), ("pad", (20, 20)), ("none", (12, 20))])
def test_crop_without_resizing_keeps_every_pixel_it_keeps(crop, shape):
    image = smooth(20, 12)
    depth = (4 + np.arange(240).reshape(12, 20) / 256).astype(np.float32)
    example = RgbdExample("k", "s", "train", encode_image(image), encode_depth(depth))
    row = prepared(example, Preparation(crop=crop))
    assert decode_image(row.example.image).shape[:2] == decode_depth(row.example.depth).shape == shape
    middle = {"centre": np.s_[:, :], "pad": np.s_[4:16, :], "none": np.s_[:, :]}[crop]
    columns = np.s_[:, 4:16] if crop == "centre" else np.s_[:, :]
    assert np.array_equal(decode_image(row.example.image)[middle], image[columns])
    assert np.array_equal(decode_depth(row.example.depth)[middle], depth[columns])
    assert (row.example == example) == (crop == "none")


@pytest.mark.parametrize("orientation", range(5, 9))
@pytest.mark.parametrize("stored", [True, False])
def test_a_turned_picture_and_its_depth_end_upright(orientation, stored):
    image = smooth(20, 12)
    upright = decode_image(turned(image, orientation))
    depth = (4 + np.arange(240).reshape(20, 12) / 256).astype(np.float32)
    back = {5: np.transpose, 6: np.rot90, 7: lambda d: d[::-1, ::-1].T, 8: lambda d: np.rot90(d, -1)}[orientation]
    given = encode_depth(np.ascontiguousarray(back(depth)) if stored else depth)
    row = prepared(RgbdExample("k", "s", "train", turned(image, orientation), given), Preparation())
    assert (row.width, row.height) == (12, 20)
    assert orientation_of(row.example.image) == 1
    assert np.abs(decode_image(row.example.image).astype(int) - upright).mean() < 3
    assert np.array_equal(decode_depth(row.example.depth), depth)


@pytest.mark.parametrize(("size", "orientation"), [((20, 12), 3), ((12, 12), 6)])
def test_a_depth_map_that_fits_both_ways_is_refused(size, orientation):
    width, height = size
    example = RgbdExample("k", "s", "train", turned(smooth(width, height), orientation), encode_depth(np.full((height, width), 5.0)))
    with pytest.raises(DataError, match="fits both before and after"):
        prepared(example, Preparation())
    assert prepared(example, Preparation(depth="none")).example.depth is None


@pytest.mark.parametrize(("depth", "outcome"), [("required", None), ("optional", (True, True)), ("none", (False, False))])
def test_depth_may_be_required_optional_or_left_out(tmp_path, store, depth, outcome):
    write_pair(tmp_path / "p" / "ant", "with")
    write_pair(tmp_path / "p" / "ant", "without")
    (tmp_path / "p" / "ant" / "without_depth.png").unlink()
    manifest = pack(FolderSource(str(tmp_path / "p"), held_out=0, depth=depth), store)
    assert verify(store) == []
    if outcome is None:
        assert [entry.key for entry in manifest.quarantine] == ["ant/without"]
        assert "pack with `--depth none` and run `g3dr data depth`" in manifest.quarantine[0].reason
        assert manifest.has_depth
    else:
        assert manifest.rows() == 2
        assert not manifest.has_depth
        assert sum(shard.rows_without_depth for shard in manifest.shards) == (1 if outcome[0] else 2)


def test_an_absent_depth_map_is_another_version_than_an_empty_one():
    row = Row(RgbdExample("k", "s", "train", b"image", None), 1, 1)
    empty = Row(RgbdExample("k", "s", "train", b"image", b""), 1, 1)
    assert content_digest([row]) != content_digest([empty])
