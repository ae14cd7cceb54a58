"""A GLB of `g3dr reconstruct` in a real viewer in a real browser shows what the model rendered, and turns."""

import base64
import json
import re
import subprocess
from importlib.resources import files

import numpy as np
import pytest
import torch
from browser_visit import CHROMIUM, IN_CHROMIUM
from PIL import Image
from typer.testing import CliRunner

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.model import G3DR
from g3dr.pictures import decode_depth, decode_image
from g3dr.procedural import ExampleId, ProceduralConfig, make_example
from g3dr.training.checkpoint import Checkpoint, write_checkpoint
from orchestrator.cli.main import app

pytestmark = IN_CHROMIUM

SIDE = 32
INPUT_FIELD_OF_VIEW = 18
TURNS = {"front": (0, 0), "right": (40, 0), "above": (0, 40), "again": (0, 0)}

# Leaves the pixels of every turn, red, green, blue and opacity from the upper left, in the page.
PAGE = """<!doctype html><canvas id="canvas" width="{side}" height="{side}"></canvas><pre id="found"></pre>
<script>{viewer}</script>
<script>
const bytes = Uint8Array.from(atob("{glb}"), letter => letter.charCodeAt(0)), canvas = document.getElementById("canvas");
const flat = Object.assign(document.createElement("canvas"), {{width: {side}, height: {side}}}).getContext("2d");
g3drViewer.show(canvas, bytes.buffer, {{fieldOfView: {field_of_view}}}).then(({{turn}}) => {{
  const found = {{}};
  for (const [name, [right, up]] of Object.entries({turns})) {{
    turn(right, up);
    flat.clearRect(0, 0, {side}, {side});
    flat.drawImage(canvas, 0, 0);
    found[name] = [...flat.getImageData(0, 0, {side}, {side}).data];
  }}
  document.getElementById("found").textContent = JSON.stringify(found);
}}).catch(error => console.error(error));
</script>"""


def _trained_on(image, depth):
    """A model that has learnt one animal by heart."""
    torch.manual_seed(0)
    generator = GeneratorConfig(resolution=SIDE, width=8, multipliers=(1, 2), position_channels=4, features=8, attention=False)
    model = G3DR(ModelConfig(generator, RendererConfig(layout="perspective", decoder_width=16, coarse_samples=12, fine_samples=12)))
    optimizer, rays = torch.optim.Adam(model.parameters(), lr=1e-2), camera_rays(camera_to_world(*frontal_pose(1)), SIDE)
    for _ in range(250):
        frames = model.render(model.encode(image, depth), rays).frames(SIDE, SIDE)
        loss = (frames.rgb - image).abs().mean() + (frames.depth - depth).abs().mean() + 0.1 * (1 - frames.opacity).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


@pytest.fixture(scope="module")
def animal():
    """A made-up animal: its picture and its depth as they lie in files."""
    return make_example(ProceduralConfig((0,), 2, 1, 0, SIDE, seed=1), ExampleId(0, 0, "train"))


@pytest.fixture(scope="module")
def reconstruction(animal, tmp_path_factory):
    """The folder of its reconstruction."""
    folder = tmp_path_factory.mktemp("mesh")
    (folder / "owl.png").write_bytes(animal.image)
    (folder / "owl_depth.png").write_bytes(animal.depth)
    image = torch.from_numpy(decode_image(animal.image)).permute(2, 0, 1)[None] / 127.5 - 1
    model = _trained_on(image, torch.from_numpy(decode_depth(animal.depth))[None, None].float())
    for name, data in write_checkpoint(Checkpoint(1, model.state_dict(), {}, model.config)).items():
        (folder / name).write_bytes(data)
    words = ["--checkpoint", folder, "-o", folder / "out", "--frames", 4, "--size", SIDE, "--resolution", 64, "--device", "cpu"]
    result = CliRunner().invoke(app, ["reconstruct", str(folder / "owl.png"), *map(str, words)])
    assert result.exit_code == 0, result.output
    return folder / "out" / "owl"


@pytest.fixture(scope="module")
def shown(reconstruction, tmp_path_factory):
    """Pixels of the viewer's canvas by turn, and what the browser wrote to its console."""
    folder = tmp_path_factory.mktemp("viewer")
    viewer = (files("orchestrator.report") / "vendor" / "viewer.min.js").read_text()
    glb = base64.b64encode((reconstruction / "owl.glb").read_bytes()).decode()
    page = PAGE.format(viewer=viewer, glb=glb, side=SIDE, field_of_view=INPUT_FIELD_OF_VIEW, turns=json.dumps(TURNS))
    (folder / "page.html").write_text(page)
    drawing = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--virtual-time-budget=20000"]
    options = ["--headless", "--no-sandbox", "--no-first-run", "--enable-logging=stderr", f"--user-data-dir={folder}/profile"]
    command = [CHROMIUM, *drawing, *options, "--dump-dom", (folder / "page.html").as_uri()]
    visit = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    found = re.search(r'<pre id="found">(.+?)</pre>', visit.stdout)
    assert found, visit.stderr[-2000:]
    pixels = {name: np.array(values, np.uint8).reshape(SIDE, SIDE, 4) for name, values in json.loads(found.group(1)).items()}
    return pixels, [line for line in visit.stderr.splitlines() if "CONSOLE" in line and "error" in line.lower()]


def _rendered(reconstruction):
    """The third column of the contact sheet: the model's own rendering from the input camera."""
    with Image.open(reconstruction / "owl_sheet.png") as sheet:
        left = 4 + 2 * (SIDE + 4)
        return np.asarray(sheet.convert("RGB"))[-SIDE - 4 : -4, left : left + SIDE]


def test_the_console_has_no_errors(shown):
    assert shown[1] == []


def test_the_input_cameras_view_has_the_colours_of_the_animal(shown, reconstruction, animal):
    front, truth = shown[0]["front"], decode_image(animal.image).astype(float)
    inside = front[..., 3] == 255
    assert inside.mean() > 0.25, "ground and animal; the wall stands at the back of the box"
    assert truth[inside].std(axis=0).min() > 10, "a picture of one colour would show nothing"
    seen = front[..., :3].astype(float)
    assert np.abs(seen - _rendered(reconstruction))[inside].mean() < 8
    error = np.abs(seen - truth)[inside].mean()
    assert error < 25.5, "a tenth of the range"
    assert error < np.abs(seen - truth[:, ::-1])[inside].mean(), "not mirrored"


def test_turning_shows_another_side_and_turning_back_the_same(shown):
    pixels = shown[0]
    for name in ("right", "above"):
        assert (pixels[name][..., 3] == 255).mean() > 0.2
        assert np.abs(pixels[name].astype(int) - pixels["front"]).mean() > 5
    assert (pixels["again"] == pixels["front"]).all()
