"""`g3dr reconstruct` from pictures to files, with a tiny model."""

import json

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from reconstruct_fixture import invoke, load_glb, record_of, write_model, write_picture
from typer.testing import CliRunner

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.errors import CheckpointError, ConfigError, DataError
from g3dr.export.cutout import Cutout, in_input_picture
from g3dr.types import Frames
from orchestrator.cli.main import app
from orchestrator.photographs import find_photographs

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("checkpoint"))


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


def test_a_mask_cuts_the_mesh_out(checkpoint, tmp_path):
    left = np.zeros((20, 20), np.uint8)
    left[:, :10] = 255
    picture = write_picture(tmp_path / "in", size=(20, 20), mask=left)
    assert invoke(checkpoint, picture, "-o", tmp_path / "out").exit_code == 0
    mesh = load_glb(tmp_path / "out" / "owl" / "owl.glb")
    assert mesh.is_watertight
    assert mesh.bounds[1, 0] == pytest.approx(0, abs=0.05)
    assert mesh.bounds[0, 0] < -0.5


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
