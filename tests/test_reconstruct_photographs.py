"""What `g3dr reconstruct` takes: photographs with depth maps and masks beside them, or bare ones that it completes."""

import numpy as np
import pytest
from PIL import Image
from reconstruct_fixture import FAST, invoke, load_glb, record_of, write_model, write_picture
from stand_in_estimator import RedRecipe
from typer.testing import CliRunner

from g3dr.errors import DataError, G3drError
from orchestrator.cli.main import app
from orchestrator.depth.recipes import RECIPES
from orchestrator.photographs import Completion, completed, find_photographs

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def stand_in(monkeypatch):
    """An estimator without weights, where the shipped network is named."""
    monkeypatch.setitem(RECIPES, "network", RedRecipe)


def write_bare(folder, name="fox.png", size=(20, 30)):
    """Writes a picture without a depth map: red, and so near, to the right."""
    folder.mkdir(parents=True, exist_ok=True)
    red = np.broadcast_to(np.linspace(0, 255, size[1]), size)
    Image.fromarray(np.stack([red, red * 0 + 80, red * 0 + 40], -1).astype(np.uint8)).save(folder / name)
    return folder / name


def test_a_bad_picture_in_a_folder_does_not_lose_the_others(checkpoint, tmp_path, stand_in):
    for name in ("a.png", "c.jpg"):
        write_picture(tmp_path / "in", name)
    (tmp_path / "in" / "b.jpg").write_bytes(b"no picture")
    write_picture(tmp_path / "in", "d.png", depth_size=(30, 20))
    result = invoke(checkpoint, tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "c"}
    assert f"error: {tmp_path}/in/b.jpg: the bytes are not a picture" in result.output
    assert "d_depth.png: 20 x 30 pixels do not fit a picture of 30 x 20" in result.output


def test_depth_of_another_size_fits_and_of_another_shape_does_not(tmp_path):
    [(_, good)] = completed(find_photographs([str(write_picture(tmp_path, "a.png", (20, 30), (40, 60)))]), Completion())
    assert (good.image_at(8).shape, good.depth_at(8).shape) == ((8, 8, 3), (8, 8))
    with pytest.raises(DataError, match=r"b_depth.png: 30 x 20 pixels do not fit a picture of 20 x 30"):
        find_photographs([str(write_picture(tmp_path, "b.png", (30, 20), (20, 30)))])[0].read()


def test_eight_bit_depth_is_refused(tmp_path):
    picture = write_picture(tmp_path)
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "owl_depth.png")
    with pytest.raises(DataError, match=r"owl_depth.png: a depth map must be a 16-bit gray PNG"):
        find_photographs([str(picture)])[0].read()


def test_phone_pictures_are_turned_upright(tmp_path):
    write_picture(tmp_path, "a.jpg", (20, 30), (30, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full((20, 30, 3), 99, np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert find_photographs([str(tmp_path / "a.jpg")])[0].read().image.shape == (30, 20, 3)


def test_folders_and_patterns_leave_out_depth_maps_and_masks(tmp_path):
    for name in ("a.png", "b.jpg"):
        write_picture(tmp_path, name, mask=np.zeros((20, 30), np.uint8))
    assert [photograph.name for photograph in find_photographs([str(tmp_path)])] == ["a", "b"]
    assert [photograph.name for photograph in find_photographs([f"{tmp_path}/*.png"])] == ["a"]


def test_pictures_of_one_name_get_different_folders(tmp_path):
    sources = [str(write_picture(tmp_path / folder, name)) for folder, name in (("x", "a.png"), ("x", "a-2.png"), ("y", "a.png"))]
    names = [photograph.name for photograph in find_photographs(sources)]
    assert names[:2] == ["a", "a-2"]
    assert len(set(names)) == 3


def test_a_bare_photograph_gets_its_depth_from_the_estimator_which_is_said(checkpoint, tmp_path, stand_in):
    result = invoke(checkpoint, write_bare(tmp_path / "in"), "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "depth: 1 of 1 without a depth map, estimated by red_is_near (weights 01234567)" in result.output
    record = record_of(tmp_path / "out" / "fox")
    assert record["depth"]["estimator"] == {"name": "red_is_near", "weights": "0123456789abcdef"}
    assert record["depth"]["mapping"]["version"] >= 1
    assert (tmp_path / "out" / "fox" / "fox_sheet.png").is_file()


def test_a_depth_map_beside_a_picture_is_used_unless_an_estimator_is_named(checkpoint, tmp_path, stand_in):
    write_bare(tmp_path / "in")
    with_map = write_picture(tmp_path / "in", "owl.png")
    assert invoke(checkpoint, tmp_path / "in", "-o", tmp_path / "mixed").exit_code == 0
    assert record_of(tmp_path / "mixed" / "owl")["depth"] == str(with_map.with_name("owl_depth.png"))
    assert "estimator" in record_of(tmp_path / "mixed" / "fox")["depth"]
    write_bare(tmp_path / "in", "owl.png")
    result = invoke(checkpoint, tmp_path / "in", "-o", tmp_path / "named", "--estimator", "network")
    assert "depth: 2 of 2 without a depth map" in result.output
    assert "estimator" in record_of(tmp_path / "named" / "owl")["depth"]


def test_a_list_of_pictures_comes_from_standard_input(checkpoint, tmp_path, stand_in):
    names = "\n".join(str(write_bare(tmp_path / "in", name)) for name in ("a.png", "b.png"))
    words = ["reconstruct", *FAST, "--checkpoint", str(checkpoint), "-", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words, input=names)
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "b"}


def test_the_background_is_removed_where_a_mask_says_what_it_is(checkpoint, tmp_path, stand_in):
    left = np.zeros((20, 20), np.uint8)
    left[:, :10] = 255
    picture = write_picture(tmp_path / "in", size=(20, 20), mask=left)
    assert invoke(checkpoint, picture, "-o", tmp_path / "out", "--background", "remove").exit_code == 0
    record = record_of(tmp_path / "out" / "owl")
    assert (record["options"]["background"], record["mask"]) == ("remove", str(picture.with_name("owl_mask.png")))
    mesh = load_glb(tmp_path / "out" / "owl" / "owl.glb")
    assert mesh.bounds[1, 0] == pytest.approx(0, abs=0.05)
    with Image.open(tmp_path / "out" / "owl" / "owl_sheet.png") as sheet:
        reconstruction = np.asarray(sheet)[-24:-4, 4 + 2 * 28 : 4 + 2 * 28 + 24]
    assert (reconstruction[:, 13:] > 250).all()
    assert (reconstruction[:, :10] < 240).any(-1).all()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--estimator", "networks"], 'allowed: network, transformers (did you mean "network"?)'),
        (["--estimator", "files"], "allowed: network, transformers"),
        (["--estimator", "transformers"], "--weights: got None"),
        (["--estimator", "network", "--depth", "DEPTH"], "nothing with --depth, which is the depth already"),
        (["--boost"], "--boost: got True, allowed: nothing: every picture has its depth map"),
        (["--background", "remove"], "NAME_mask.png"),
        (["--upscale", "2", "--upscaler", "nothing/here"], "nothing/here"),
        (["--upscale", "2", "--size", "25"], "a multiple of 2 where frames are enlarged"),
    ],
)
def test_what_completes_photographs_is_checked_before_any_work(checkpoint, tmp_path, monkeypatch, words, says):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.delenv("G3DR_ALLOW_DOWNLOAD", raising=False)
    picture = write_picture(tmp_path / "in")
    words = [str(picture.with_name("owl_depth.png")) if word == "DEPTH" else word for word in words]
    result = invoke(checkpoint, picture, "-o", tmp_path / "out", *words)
    assert isinstance(result.exception, G3drError), result.output
    assert says in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "out").exists()
