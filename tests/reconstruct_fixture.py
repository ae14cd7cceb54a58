"""A tiny model, pictures of a ball, and `g3dr reconstruct` on them."""

import json

import numpy as np
import trimesh
from PIL import Image
from typer.testing import CliRunner

from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.model import G3DR
from g3dr.pictures import encode_depth
from g3dr.training.checkpoint import Checkpoint, write_checkpoint
from orchestrator.cli.main import app

SIDE = 16
FAST = ["--frames", "4", "--size", "24", "--resolution", "16", "--device", "cpu"]


def write_model(folder):
    """Writes a model with fresh weights and a density that makes everything solid; returns its folder."""
    generator = GeneratorConfig(resolution=SIDE, width=8, multipliers=(1, 2), position_channels=0, features=8, attention=False)
    config = ModelConfig(
        generator, RendererConfig(layout="perspective", decoder_width=8, coarse_samples=6, fine_samples=6, initial_density=8.0)
    )
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
    """Runs the command with few, small frames."""
    return CliRunner().invoke(app, ["reconstruct", *FAST, "--checkpoint", str(checkpoint), *map(str, words)])


def load_glb(path):
    return next(iter(trimesh.load_scene(path).geometry.values()))


def record_of(folder):
    return json.loads((folder / "reconstruction.json").read_text())
