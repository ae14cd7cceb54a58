"""`g3dr generate` from a word to files, with tiny networks that were never trained."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
import trimesh
from diffusion_fixture import CODES, DENOISER, batch_of, codes
from PIL import Image
from typer.testing import CliRunner

from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.depth import Measure
from g3dr.depth.trained import NetworkEstimator
from g3dr.diffusion.denoiser import Denoiser
from g3dr.errors import CheckpointError, ConfigError, WeightsMissingError
from g3dr.model import G3DR
from g3dr.networks import network_to_json
from g3dr.training.checkpoint import Checkpoint, write_checkpoint
from orchestrator.cli.main import app
from orchestrator.generating.models import open_own
from orchestrator.store import open_store

CODES_RUN, DENOISER_RUN = "c0de" * 4, "de40" * 4


class Ramp:
    """A stand-in for the depth network: the lower, the nearer."""

    measure = Measure("disparity", is_scaled=False)

    def identity(self):
        return {"name": "ramp"}

    def estimate(self, pictures):
        return [np.tile(np.linspace(0, 1, one.rgb.shape[0])[:, None], (1, one.rgb.shape[1])) for one in pictures]


def write_run(root, run, network, config, spec):
    folder = root / "runs" / run / "checkpoints" / "00000001"
    folder.mkdir(parents=True)
    checkpoint = Checkpoint(1, network.state_dict(), {}, network=network_to_json(config))
    for name, data in write_checkpoint(checkpoint).items():
        (folder / name).write_bytes(data)
    (root / "runs" / run / "spec.json").write_text(json.dumps(spec))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A ledger with an autoencoder, a denoiser in its latents, and a model of 3D."""
    root = tmp_path_factory.mktemp("results")
    denoiser = Denoiser(DENOISER, 2, 8, seed=1)
    for parameter in denoiser.parameters():
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)) * 0.1
    denoiser.measure_latents(codes().encode(batch_of(8).images).detach())
    write_run(root, CODES_RUN, codes(), CODES, {"autoencoder": None})
    write_run(root, DENOISER_RUN, denoiser, DENOISER, {"autoencoder": CODES_RUN, "data": {"version": "v1"}})
    generator = GeneratorConfig(resolution=16, width=8, multipliers=(1, 2), position_channels=0, features=8, attention=False)
    renderer = RendererConfig(layout="perspective", decoder_width=8, coarse_samples=6, fine_samples=6, initial_density=8.0)
    config = ModelConfig(generator, renderer)
    (root / "shape").mkdir()
    for name, data in write_checkpoint(Checkpoint(1, G3DR(config).state_dict(), {}, config)).items():
        (root / "shape" / name).write_bytes(data)
    return root


@pytest.fixture
def run(root, monkeypatch, tmp_path):
    monkeypatch.setattr(NetworkEstimator, "shipped", classmethod(lambda cls, *_: Ramp()))
    ours = ["--root", str(root), "--denoiser", f"runs/{DENOISER_RUN}", "--checkpoint", "shape", "--device", "cpu"]

    def invoke(*words, out=tmp_path / "out"):
        return CliRunner().invoke(app, ["generate", *ours, "-o", str(out), "--size", "24", "--frames", "4", *words])

    return invoke


def test_a_species_becomes_objects_with_a_record_of_how(run, tmp_path):
    result = run("--species", "fish", "-n", "2", "--seed", "5")
    assert result.exit_code == 0, result.output
    assert "2 objects in" in result.output
    assert "report.html in a browser" in result.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('<figure class="model"') == 2
    assert "depth</dt>" in page.lower()
    assert "compared with nothing" in page
    folder = tmp_path / "out" / "fish-0006"
    expected = {"fish-0006.png", "fish-0006_depth.png", "fish-0006.glb", "fish-0006.mp4", "fish-0006_sheet.png", "generation.json"}
    assert expected <= {path.name for path in folder.iterdir()}
    assert next(iter(trimesh.load_scene(folder / "fish-0006.glb").geometry.values())).is_watertight
    record = json.loads((folder / "generation.json").read_text())
    assert (record["subject"], record["seed"], record["candidates"]) == ("fish", 6, [{"seed": 6, "score": None}])
    assert record["depth"]["estimator"] == {"name": "ramp"}
    assert set(record["model"]) == {"name", "denoiser", "autoencoder"}
    sheet = np.asarray(Image.open(tmp_path / "out" / "sheet.png"))
    single = np.asarray(Image.open(folder / "fish-0006_sheet.png"))
    assert sheet.shape == (2 * single.shape[0], *single.shape[1:])


def test_the_same_seed_gives_the_same_picture_whoever_is_drawn_beside_it(run, tmp_path):
    for words in (("-n", "3", "--seed", "4"), ("-n", "1", "--seed", "6", "--batch-size", "1")):
        assert run("--species", "frog", "--only-pictures", *words, out=tmp_path / words[1]).exit_code == 0
    together, alone = (np.asarray(Image.open(tmp_path / count / "frog-0006" / "frog-0006.png")).astype(int) for count in "31")
    assert np.abs(together - alone).max() <= 1
    assert {path.name for path in (tmp_path / "3" / "frog-0006").iterdir()} == {"frog-0006.png", "generation.json"}


def test_a_picture_that_becomes_no_object_is_said_and_kept(run, monkeypatch, tmp_path):
    monkeypatch.setattr(Ramp, "estimate", lambda self, pictures: [np.zeros(one.rgb.shape[:2]) for one in pictures])
    result = run("--species", "bird", "-n", "1")
    assert result.exit_code == 1
    assert "bird-0000: the estimated depth is the same everywhere" in result.output
    assert "0 objects" in result.output
    assert (tmp_path / "out" / "bird-0000" / "bird-0000.png").is_file()
    assert "same everywhere" in json.loads((tmp_path / "out" / "bird-0000" / "generation.json").read_text())["error"]


def test_files_of_others_are_not_replaced(run, tmp_path):
    assert run("--species", "bird", "-n", "1", "--only-pictures").exit_code == 0
    assert run("--species", "bird", "-n", "1", "--only-pictures").exit_code == 0
    (tmp_path / "out" / "bird-0000" / "generation.json").unlink()
    assert "there is a file already" in str(run("--species", "bird", "-n", "1", "--only-pictures").exception)


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        ((), ConfigError, "--species, --prompt: got .*allowed: one of both"),
        (("--species", "fish", "--prompt", "a fish"), ConfigError, "one of both"),
        (("--prompt", "a fish"), ConfigError, "a model of texts with --pipeline"),
        (("--species", "fsh"), ConfigError, r'bird, fish, frog \(did you mean "fish"\?\)'),
        (("--species", "fish", "--negative", "fog"), ConfigError, "--negative"),
        (("--species", "fish", "--candidates", "2", "--judge", "clip"), WeightsMissingError, "CLIP"),
        (("--species", "fish", "--candidates", "2", "--judge", "likeness"), ConfigError, "--data"),
        (("--species", "fish", "-n", "0"), ConfigError, "--count"),
        (("--species", "fish", "--denoiser", f"runs/{CODES_RUN}"), CheckpointError, "kind autoencoder, not of kind denoiser"),
        (("--species", "fish", "--denoiser", "diffusion/denoiser"), CheckpointError, r"g3dr run experiments/diffusion\.yaml"),
        (("--species", "fish", "--pipeline", "./nowhere"), WeightsMissingError, "no such folder"),
    ],
)
def test_what_cannot_be_used_is_a_sentence_and_nothing_is_written(run, tmp_path, words, error, sentence):
    result = run(*words)
    assert isinstance(result.exception, error), result.output
    assert result.exception.args
    import re

    assert re.search(sentence, str(result.exception)), str(result.exception)
    assert not list((tmp_path / "out").glob("*"))


def test_a_denoiser_far_from_its_run_needs_to_be_told_its_autoencoder(root, tmp_path):
    source = root / "runs" / DENOISER_RUN / "checkpoints" / "00000001"
    copy = tmp_path / "alone"
    copy.mkdir()
    for path in source.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match=r"is not known.*--autoencoder"):
        open_own(str(copy), open_store(str(root)))
    own = open_own(str(copy), open_store(str(root)), autoencoder=f"runs/{CODES_RUN}")
    assert own.generator.classes == DENOISER.classes
    assert own.data == ""
    assert open_own(f"runs/{DENOISER_RUN}", open_store(str(root))).data == "v1"
    assert asdict(own.generator.autoencoder.config) == asdict(CODES)
