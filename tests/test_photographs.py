"""Photographs as people have them: found anywhere, turned, of any size and kind, and completed with depth and masks."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from picture_files import file_of, smooth, turned
from PIL import Image
from stand_in_estimator import RedIsNear

from g3dr.depth import to_disparity
from g3dr.errors import DataError, WeightsMissingError
from g3dr.pictures import encode_depth
from orchestrator.photographs import Completion, RgbdPicture, completed, estimated, find_photographs, names_in_list
from orchestrator.photographs.completing import LARGEST_SHORT_SIDE, shown
from orchestrator.photographs.rembg_model import RembgModel, model_files

pytestmark = pytest.mark.unit


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def picture(height=6, width=8):
    return smooth(width, height)


def complete_all(folder, completion=None):
    return [one for _, one in completed(find_photographs([str(folder)]), completion or Completion(RedIsNear()))]


def test_a_list_holds_one_path_a_line_or_between_zero_bytes():
    assert names_in_list("a b.jpg\n\nc.png\n") == ["a b.jpg", "c.png"]
    assert names_in_list("a\nb.jpg\0c.png\0") == ["a\nb.jpg", "c.png"]
    with pytest.raises(DataError, match="the list of pictures is empty"):
        find_photographs(names_in_list("\n"))


def test_a_picture_that_is_named_twice_is_taken_once(tmp_path):
    path = write(tmp_path / "a.png", file_of(Image.fromarray(picture())))
    assert len(find_photographs([str(path), str(tmp_path), f"{tmp_path}/*.png"])) == 1


def test_hidden_files_and_depth_maps_are_no_pictures(tmp_path):
    for name in ("a.png", "._a.png", "a_depth.png", "a_mask.png"):
        write(tmp_path / name, file_of(Image.fromarray(picture())))
    [found] = find_photographs([str(tmp_path)])
    assert (found.name, found.depth, found.mask) == ("a", tmp_path / "a_depth.png", tmp_path / "a_mask.png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_upright_before_it_is_estimated(tmp_path, orientation):
    """The red edge of the picture as it is to be seen is the near one, however its file is turned."""
    write(tmp_path / "a.jpg", turned(smooth(24, 16), orientation))
    seen = np.asarray(Image.open(tmp_path / "a.jpg")).shape
    [found] = complete_all(tmp_path)
    assert found.image.shape[:2] == ((16, 24) if orientation < 5 else (24, 16))
    assert seen == (16, 24, 3)
    # The middle square: beyond it, nearer and farther things share the ends of the range.
    red = found.image_at(16)[..., 0].astype(float)
    assert np.corrcoef(red.ravel(), to_disparity(found.depth_at(16)).ravel())[0, 1] > 0.999


def test_a_depth_map_of_the_stored_pixels_is_turned_with_its_picture(tmp_path):
    stored = np.linspace(4, 5.9, 24 * 16).reshape(16, 24)
    write(tmp_path / "a.jpg", turned(smooth(24, 16), 6))
    write(tmp_path / "a_depth.png", encode_depth(stored))
    [found] = complete_all(tmp_path)
    assert np.abs(found.depth - np.rot90(stored, -1)).max() < 1e-4
    write(tmp_path / "a_depth.png", encode_depth(np.rot90(stored, -1)))
    [again] = complete_all(tmp_path)
    assert np.array_equal(again.depth, found.depth)


def test_what_fits_before_and_after_turning_is_refused(tmp_path):
    write(tmp_path / "a.jpg", turned(smooth(24, 16), 3))
    write(tmp_path / "a_depth.png", encode_depth(np.full((16, 24), 5.0)))
    [reason] = complete_all(tmp_path)
    assert "fits its picture both before and after" in str(reason)


MODES = {
    "gray": Image.fromarray(picture()[..., 0]),
    "16 bits": Image.fromarray(picture()[..., 0].astype(np.uint16) * 257),
    "alpha": Image.fromarray(np.dstack([picture(), np.full((6, 8), 255, np.uint8)])),
    "palette": Image.fromarray(picture()).convert("P", palette=Image.Palette.ADAPTIVE),
}


@pytest.mark.parametrize("kind", MODES)
def test_pictures_of_any_kind_are_taken(tmp_path, kind):
    write(tmp_path / "a.png", file_of(MODES[kind]))
    [found] = complete_all(tmp_path)
    assert found.image.shape == (6, 8, 3)
    assert found.image[:, -1].mean() > found.image[:, 0].mean() + 50


def test_cmyk_and_tiff_are_taken(tmp_path):
    write(tmp_path / "a.jpg", file_of(Image.fromarray(picture(32, 48)).convert("CMYK"), "jpeg"))
    write(tmp_path / "b.tif", file_of(Image.fromarray(picture(32, 48)), "tiff"))
    assert [np.abs(one.image - picture(32, 48).astype(int)).mean() < 6 for one in complete_all(tmp_path)] == [True, True]


def test_heic_is_refused_by_its_name(tmp_path):
    write(tmp_path / "a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    [reason] = complete_all(tmp_path)
    assert str(reason) == f"{tmp_path}/a.heic: a HEIC picture, whose patented coding is not read here; save it as JPEG or PNG"


@pytest.mark.parametrize(("height", "width"), [(1, 7), (3, 3), (16, 400), (400, 16), (40, 1300), (1200, 1100)])
def test_any_size_and_shape_gives_depth_that_lies_over_the_picture(tmp_path, height, width):
    write(tmp_path / "a.png", file_of(Image.fromarray(smooth(width, height))))
    [found] = complete_all(tmp_path)
    if height == 1:
        assert "the same everywhere" in str(found)
        return
    resolution = 16
    image, depth = found.image_at(resolution)[..., 0].astype(float), found.depth_at(resolution)
    assert (image.shape, depth.shape) == ((resolution, resolution), (resolution, resolution))
    # Red grows to the right and is near: columns of picture and depth agree, if both are cut alike.
    assert np.corrcoef(image.ravel(), to_disparity(depth).ravel())[0, 1] > (0.98 if min(height, width) > 3 else 0.9)


def test_an_estimator_is_not_shown_more_than_an_object_can_use():
    assert shown(np.zeros((30, 500, 3), np.uint8)).shape == (30, 60, 3)
    large = shown(np.zeros((3000, 4000, 3), np.uint8))
    assert large.shape == (LARGEST_SHORT_SIDE, 1365, 3)
    assert large.flags.writeable


def test_photographs_are_estimated_together_and_one_that_fails_fails_alone(tmp_path):
    for name in "abcde":
        write(tmp_path / f"{name}.png", file_of(Image.fromarray(picture())))
    write(tmp_path / "b.png", b"no picture")
    write(tmp_path / "c.png", file_of(Image.fromarray(np.full((6, 8, 3), 9, np.uint8))))
    write(tmp_path / "d_depth.png", encode_depth(np.full((6, 8), 5.0)))
    estimator = RedIsNear()
    found = complete_all(tmp_path, Completion(estimator))
    assert [type(one) for one in found] == [RgbdPicture, DataError, DataError, RgbdPicture, RgbdPicture]
    assert [one.depth_from for one in found if isinstance(one, RgbdPicture)] == ["red_is_near", "", "red_is_near"]
    assert estimator.asked == [2, 1]  # a and c of the first four together, e after them
    assert "the same everywhere" in str(found[2])


def test_without_an_estimator_the_reason_is_said(tmp_path):
    write(tmp_path / "a.png", file_of(Image.fromarray(picture())))
    [reason] = complete_all(tmp_path, Completion())
    assert "no depth map" in str(reason)


def test_estimates_fill_the_box():
    [depth] = estimated([picture(20, 20)], RedIsNear())
    assert 4 <= depth.min() < 4.1
    assert 5.9 < depth.max() < 6


class LeftHalf:
    """Takes the left half of every picture for the object."""

    name = "left_half"

    def mask(self, image):
        mask = np.zeros(image.shape[:2], np.bool_)
        mask[:, : image.shape[1] // 2] = True
        return mask


def test_a_mask_file_wins_over_the_background_model(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.png", file_of(Image.fromarray(picture(8, 8))))
    write(tmp_path / "a_mask.png", file_of(Image.fromarray(np.full((8, 8), 255, np.uint8))))
    with_file, without = complete_all(tmp_path, Completion(RedIsNear(), LeftHalf()))
    assert (with_file.mask.mean(), with_file.mask_from) == (1, "")
    assert (without.mask.mean(), without.mask_from) == (0.5, "left_half")


@pytest.fixture
def rembg(monkeypatch, tmp_path):
    """A stand-in for the package: what is red belongs to the object."""

    def remove(image, *, session, only_mask):
        assert only_mask
        assert session == "session of u2net"
        return (image[..., 0] > 128).astype(np.uint8) * 255

    module = SimpleNamespace(new_session=lambda name: f"session of {name}", remove=remove)
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "rembg", module)
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "models"))
    monkeypatch.delenv("G3DR_ALLOW_DOWNLOAD", raising=False)


@pytest.mark.parametrize("where", [0, 1])
def test_a_background_model_gives_a_mask_of_the_pictures_size(rembg, where):
    write(model_files("u2net")[where], b"onnx")
    mask = RembgModel().mask(picture(10, 30))
    assert mask.shape == (10, 30)
    assert not mask[:, :10].any()
    assert mask[:, 20:].all()
    with pytest.raises(DataError, match="u2net sees no object"):
        RembgModel().mask(np.zeros((4, 4, 3), np.uint8))


def test_a_missing_background_model_says_what_to_do(rembg, monkeypatch):
    with pytest.raises(WeightsMissingError, match=r"put it to .*models/u2net\.onnx, set G3DR_ALLOW_DOWNLOAD=1 .* NAME_mask\.png"):
        RembgModel()
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(WeightsMissingError, match=r"pip install 'g3dr-orchestrator\[background\]', or put a mask"):
        RembgModel()
