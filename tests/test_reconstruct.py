"""`g3dr reconstruct` from pictures to files, with a tiny model."""

import json

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from stand_in_estimator import RedRecipe
from typer.testing import CliRunner

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.errors import CheckpointError, ConfigError, DataError, G3drError
from g3dr.export.cutout import Cutout, in_input_picture
from g3dr.model import G3DR
from g3dr.pictures import encode_depth
from g3dr.training.checkpoint import Checkpoint, write_checkpoint
from g3dr.types import Frames
from orchestrator.cli.main import app
from orchestrator.depth.recipes import RECIPES
from orchestrator.photographs import Completion, completed, find_photographs

pytestmark = pytest.mark.unit

SIDE = 16
FAST = ["--frames", "4", "--size", "24", "--resolution", "16", "--device", "cpu"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A model with fresh weights and a density that makes everything solid."""
    generator = GeneratorConfig(resolution=SIDE, width=8, multipliers=(1, 2), position_channels=0, features=8, attention=False)
    config = ModelConfig(
        generator, RendererConfig(layout="perspective", decoder_width=8, coarse_samples=6, fine_samples=6, initial_density=8.0)
    )
    folder = tmp_path_factory.mktemp("checkpoint")
    for name, data in write_checkpoint(Checkpoint(step=1, model=G3DR(config).state_dict(), optimizer={}, config=config)).items():
        (folder / name).write_bytes(data)
    return folder


def write_picture(folder, name="owl.png", size=(20, 30), depth_size=None, mask=None):
    """Writes a picture of a brown ball with its depth; sizes are height, width."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = size
    Image.fromarray(np.full((height, width, 3), (150, 100, 60), np.uint8)).save(folder / name)
    stem = name.rpartition(".")[0]
    (folder / f"{stem}_depth.png").write_bytes(encode_depth(np.full(depth_size or size, 5.0)))
    if mask is not None:
        Image.fromarray(mask).save(folder / f"{stem}_mask.png")
    return folder / name


def invoke(checkpoint, *words):
    return CliRunner().invoke(app, ["reconstruct", *FAST, "--checkpoint", str(checkpoint), *map(str, words)])


def load_glb(path):
    return next(iter(trimesh.load_scene(path).geometry.values()))


def test_one_picture_becomes_all_files(checkpoint, tmp_path):
    picture = write_picture(tmp_path / "in")
    result = invoke(checkpoint, picture, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "next: open" in result.output
    folder = tmp_path / "out" / "owl"
    names = {"owl.glb", "owl.ply", "owl.mp4", "owl.webp", "owl_sheet.png", "owl_distances.png", "reconstruction.json"}
    assert {path.name for path in folder.iterdir()} == names
    mesh = load_glb(folder / "owl.glb")
    assert mesh.is_watertight
    assert np.abs(mesh.bounds).max() <= 1
    record = json.loads((folder / "reconstruction.json").read_text())
    assert record["picture"] == str(picture)
    assert record["files"]["owl.glb"] == (folder / "owl.glb").stat().st_size
    with Image.open(folder / "owl.webp") as film:
        assert (film.n_frames, film.size) == (4, (24, 24))


def test_a_gif_is_written_where_it_is_asked_for(checkpoint, tmp_path):
    result = invoke(checkpoint, write_picture(tmp_path / "in"), "-o", tmp_path / "out", "--gif")
    assert result.exit_code == 0, result.output
    assert ".gif" in result.output
    with Image.open(tmp_path / "out" / "owl" / "owl.gif") as film:
        assert (film.format, film.n_frames, film.size) == ("GIF", 4, (24, 24))


def test_one_picture_and_several_give_the_same_pictures(checkpoint, tmp_path):
    """One is encoded without keeping transformed filters, several with; the difference is rounding."""
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / "in", name)
    assert invoke(checkpoint, tmp_path / "in", "-o", tmp_path / "several").exit_code == 0
    assert invoke(checkpoint, tmp_path / "in" / "a.png", "-o", tmp_path / "one").exit_code == 0
    sheets = [np.asarray(Image.open(tmp_path / folder / "a" / "a_sheet.png")).astype(int) for folder in ("one", "several")]
    assert np.abs(sheets[0] - sheets[1]).max() <= 1


def test_running_again_replaces_its_own_files_only(checkpoint, tmp_path):
    picture = write_picture(tmp_path / "in")
    (tmp_path / "out" / "owl").mkdir(parents=True)
    (tmp_path / "out" / "owl" / "owl.glb").write_bytes(b"somebody else's")
    refused = invoke(checkpoint, picture, "-o", tmp_path / "out")
    assert refused.exit_code == 2
    assert "choose another folder" in refused.output
    assert (tmp_path / "out" / "owl" / "owl.glb").read_bytes() == b"somebody else's"
    (tmp_path / "out" / "owl" / "owl.glb").unlink()
    assert [invoke(checkpoint, picture, "-o", tmp_path / "out").exit_code for _ in range(2)] == [0, 0]


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


def test_a_mask_cuts_the_mesh_out(checkpoint, tmp_path):
    left = np.zeros((20, 20), np.uint8)
    left[:, :10] = 255
    picture = write_picture(tmp_path / "in", size=(20, 20), mask=left)
    assert invoke(checkpoint, picture, "-o", tmp_path / "out").exit_code == 0
    mesh = load_glb(tmp_path / "out" / "owl" / "owl.glb")
    assert mesh.is_watertight
    assert mesh.bounds[1, 0] == pytest.approx(0, abs=0.05)
    assert mesh.bounds[0, 0] < -0.5


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


def test_what_cannot_be_meant_is_refused(checkpoint, tmp_path):
    pictures = [str(write_picture(tmp_path, name)) for name in ("a.png", "b.png")]
    with pytest.raises(DataError, match="one file cannot serve 2 pictures"):
        find_photographs(pictures, depth=tmp_path / "a_depth.png")
    with pytest.raises(DataError, match="no such picture or folder"):
        find_photographs([str(tmp_path / "nothing.png")])
    for words in (["--resolution", "4"], ["--frames", "0"], ["--tolerance", "0"], ["--size", "1"]):
        assert isinstance(invoke(checkpoint, pictures[0], "-o", tmp_path / "out", *words).exception, ConfigError)
    assert not (tmp_path / "out").exists()


def test_without_a_model_the_sentence_says_how_to_get_one(tmp_path):
    picture = write_picture(tmp_path)
    result = CliRunner().invoke(app, ["reconstruct", str(picture), "--root", str(tmp_path / "results"), "-o", str(tmp_path / "out")])
    assert isinstance(result.exception, CheckpointError)
    assert "make quickstart" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_help_has_an_example():
    result = CliRunner().invoke(app, ["reconstruct", "--help"])
    assert result.exit_code == 0
    assert "Example: g3dr reconstruct" in result.output


def test_a_density_solid_may_leave_the_field_of_view(checkpoint, tmp_path):
    picture = write_picture(tmp_path / "in")
    assert invoke(checkpoint, picture, "-o", tmp_path / "out", "--solid", "density", "--tolerance", 0.01).exit_code == 0
    mesh = load_glb(tmp_path / "out" / "owl" / "owl.glb")
    assert mesh.is_watertight
    assert mesh.bounds[:, 0] == pytest.approx([-1, 1], abs=1e-5)


def test_colours_are_near_those_that_the_model_renders(checkpoint, tmp_path):
    torch.manual_seed(0)
    picture = write_picture(tmp_path / "in")
    assert invoke(checkpoint, picture, "-o", tmp_path / "out").exit_code == 0
    mesh = trimesh.load(tmp_path / "out" / "owl" / "owl.ply")
    with Image.open(tmp_path / "out" / "owl" / "owl_sheet.png") as sheet:
        reconstruction = np.asarray(sheet)[-24:-4, 4 + 2 * 28 : 4 + 2 * 28 + 24]
    front = mesh.vertices[:, 2] > 0.9
    seen = mesh.visual.vertex_colors[front, :3] if front.any() else mesh.visual.vertex_colors[:, :3]
    assert np.abs(seen.mean(axis=0) - reconstruction.reshape(-1, 3).mean(axis=0)).max() < 12


@pytest.mark.parametrize(("word", "reason"), [("cudaa", "auto, cpu, cuda or mps"), ("mps", "torch finds no Apple GPU here")])
def test_a_device_that_is_not_there_is_refused(checkpoint, tmp_path, word, reason, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    result = invoke(checkpoint, write_picture(tmp_path / "in"), "-o", tmp_path / "out", "--device", word)
    assert isinstance(result.exception, ConfigError)
    assert reason in str(result.exception)
    assert not (tmp_path / "out" / "owl").exists()


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


def record_of(folder):
    return json.loads((folder / "reconstruction.json").read_text())


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


@pytest.mark.parametrize("distance", [4.2, 5.9])
def test_points_are_carried_back_to_the_pixels_of_the_input_picture(distance):
    rays = camera_rays(camera_to_world(*frontal_pose(1)), 5)
    found = in_input_picture(rays.origins + distance * rays.directions).reshape(5, 5, 2)
    steps = torch.linspace(-1, 1, 5)
    assert torch.allclose(found, torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1), atol=1e-5)


def test_a_cutout_follows_the_object_around():
    """A wall at the distance of the origin, seen from the side: what the input camera sees on its left half stays."""
    yaw, pitch = torch.tensor([np.pi / 2 + 0.3], dtype=torch.float32), torch.tensor([np.pi / 2], dtype=torch.float32)
    rays = camera_rays(camera_to_world(yaw, pitch), 33)
    along = (-rays.origins[..., 0] / rays.directions[..., 0]).reshape(1, 1, 33, 33)
    points = rays.origins + along.reshape(1, -1, 1) * rays.directions
    frames = Frames(torch.full((1, 3, 33, 33), -1.0), along, torch.ones_like(along))
    mask = torch.zeros(64, 64)
    mask[:, :32] = 1
    kept = Cutout(mask)(frames, yaw, pitch).rgb[0, 0] < 0
    left = (points[..., 2] < 0).reshape(33, 33)
    assert (kept == left).float().mean() > 0.95
    assert 0.3 < kept.float().mean() < 0.7


def test_frames_may_be_rendered_at_half_the_size(checkpoint, tmp_path):
    picture = write_picture(tmp_path / "in")
    for upscale in (1, 2):
        assert invoke(checkpoint, picture, "-o", tmp_path / str(upscale), "--upscale", upscale).exit_code == 0
    films = []
    for upscale in (1, 2):
        with Image.open(tmp_path / str(upscale) / "owl" / "owl.webp") as film:
            assert film.size == (24, 24)
            films.append(np.asarray(film.convert("RGB")).astype(int))
    assert np.abs(films[0] - films[1]).mean() < 12
    assert record_of(tmp_path / "2" / "owl")["upscaler"] == "bicubic"


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
