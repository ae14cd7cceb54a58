"""Checkpoints that say what they are, and how people name them."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from g3dr.config import GeneratorConfig, LossTerm, ModelConfig, ObjectiveConfig, RendererConfig, TrainingConfig
from g3dr.errors import CheckpointError
from g3dr.losses import Objective
from g3dr.model import G3DR
from g3dr.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from g3dr.training.layout import INDEX, MODEL, OPTIMIZER
from g3dr.training.trainer import Trainer
from orchestrator.checkpoints import load_model
from orchestrator.experiment.settings import Settings
from orchestrator.ledger import Ledger
from orchestrator.runs import DataSelection, RunSpec
from orchestrator.store import FolderStore

pytestmark = pytest.mark.unit

CONFIG = ModelConfig(
    GeneratorConfig(resolution=16, width=8, multipliers=(1, 2), position_channels=4, features=8, attention=False, plane_gain=2.0),
    RendererConfig(layout="perspective", decoder_width=8, coarse_samples=6, fine_samples=6),
)


def make_checkpoint(step=0, seed=0, config=CONFIG) -> Checkpoint:
    model = G3DR(CONFIG)
    model.initialize(seed)
    return Checkpoint(step, model.state_dict(), {"final_conv.weight.exp_avg": torch.ones(1)}, config)


def changed(files, **changes):
    return {**files, INDEX: json.dumps({**json.loads(files[INDEX]), **changes}).encode()}


@pytest.fixture
def root(tmp_path):
    return FolderStore(tmp_path / "root")


@pytest.fixture
def run(root):
    """A run of two checkpoints, the newer one with other weights; returns its id."""
    ledger = Ledger(root)
    spec = RunSpec(CONFIG, Settings().objective, Settings().training, DataSelection("v", "train"))
    ledger.write_spec(spec.id, spec.to_json())
    ledger.save_checkpoint(spec.id, make_checkpoint(2, seed=1))
    ledger.save_checkpoint(spec.id, make_checkpoint(10, seed=2))
    return spec.id


def weights(seed):
    return make_checkpoint(seed=seed).model["final_conv.weight"]


def test_the_configuration_survives_the_round_trip():
    assert read_checkpoint(write_checkpoint(make_checkpoint()), "here").config == CONFIG
    assert read_checkpoint(write_checkpoint(make_checkpoint(config=ModelConfig())), "here").config == ModelConfig()


def test_checkpoints_without_a_configuration_are_read():
    files = write_checkpoint(make_checkpoint(config=None))
    assert "config" not in json.loads(files[INDEX])
    assert read_checkpoint(files, "here").config is None


def test_settings_that_an_older_version_did_not_know_take_their_defaults():
    files = write_checkpoint(make_checkpoint())
    record = json.loads(files[INDEX])["config"]
    del record["generator"]["plane_gain"], record["renderer"]["initial_density"]
    expected = dataclasses.replace(CONFIG, generator=dataclasses.replace(CONFIG.generator, plane_gain=1.0))
    assert read_checkpoint(changed(files, config=record), "here").config == expected


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"config": {"generator": {"wings": 2}}}, r"^here: written by a newer version, this one does not know model\.generator\.wings"),
        ({"config": {"wings": {}}}, r"does not know model\.wings"),
        ({"config": {"generator": {"width": 9}}}, r"model\.generator\.width: got 9"),
        ({"config": {"generator": {"width": "wide"}}}, "the recorded configuration cannot be used"),
        ({"config": {"generator": 7}}, "the recorded configuration cannot be used"),
        ({"config": [1]}, "the recorded configuration cannot be used"),
        ({"format": 2}, "written by a newer version in format 2, this one reads up to 1"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(changes, sentence):
    with pytest.raises(CheckpointError, match=sentence):
        read_checkpoint(changed(write_checkpoint(make_checkpoint()), **changes), "here")


def test_the_optimizer_is_read_only_when_asked_for():
    files = write_checkpoint(make_checkpoint())
    assert read_checkpoint(files, "here").optimizer
    del files[OPTIMIZER]
    assert read_checkpoint(files, "here", optimizer=False).optimizer == {}


def test_a_model_is_loaded_by_checkpoint_by_run_and_from_elsewhere(root, run, tmp_path):
    older, newest = load_model(f"runs/{run}/checkpoints/00000002", root), load_model(f"runs/{run}", root)
    assert newest.config == CONFIG
    assert not newest.training
    assert torch.equal(older.final_conv.weight, weights(1))
    assert torch.equal(newest.final_conv.weight, weights(2))
    elsewhere = FolderStore(tmp_path / "elsewhere")
    for name in (f"{root.uri}/runs/{run}", f"file://{root.uri}/runs/{run}", f"{root.uri}/runs/{run}/checkpoints/00000010"):
        assert torch.equal(load_model(name, elsewhere).final_conv.weight, weights(2)), name


def test_a_damaged_model_is_refused(root, run):
    path = Path(root.uri) / "runs" / run / "checkpoints" / "00000010" / MODEL
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model.safetensors: damaged, its SHA-256 is"):
        load_model(f"runs/{run}", root)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"00000010: the checkpoint is incomplete or unreadable"):
        load_model(f"runs/{run}", root)


def test_a_loaded_model_outlives_its_file_and_never_writes_to_it(root, run):
    path = Path(root.uri) / "runs" / run / "checkpoints" / "00000010" / MODEL
    before = path.read_bytes()
    model = load_model(f"runs/{run}", root)
    with torch.no_grad():
        model.final_conv.weight += 1
    assert path.read_bytes() == before
    assert torch.equal(load_model(f"runs/{run}", root).final_conv.weight, weights(2))
    path.unlink()
    assert torch.equal(model.final_conv.weight, weights(2) + 1)


def test_a_model_is_loaded_by_experiment_and_stage(root, run):
    ledger = Ledger(root)
    entries = [{"run": run, "label": "seed 0"}, {"run": "0" * 16, "label": "seed 1"}]
    ledger.write_stage("study", "one", {"runs": entries[:1], "best": None})
    ledger.write_stage("study", "searched", {"runs": entries, "best": run})
    ledger.write_stage("study", "several", {"runs": entries, "best": None})
    for stage in ("one", "searched"):
        assert torch.equal(load_model(f"study/{stage}", root).final_conv.weight, weights(2))
    with pytest.raises(CheckpointError, match=rf"2 runs, and the stage names no best one; name one of them: runs/{run} \(seed 0\)"):
        load_model("study/several", root)


def test_an_old_checkpoint_takes_the_configuration_of_its_run(root, run, tmp_path):
    Ledger(root).save_checkpoint(run, make_checkpoint(20, seed=3, config=None))
    for name in (f"runs/{run}", f"{root.uri}/runs/{run}/checkpoints/00000020"):
        assert load_model(name, root).config == CONFIG
    alone = FolderStore(tmp_path / "alone")
    for file, data in write_checkpoint(make_checkpoint(config=None)).items():
        alone.write_bytes(file, data)
    with pytest.raises(CheckpointError, match="made by an older version"):
        load_model(alone.uri, root)


def test_an_unknown_stage_is_answered_with_those_there_are(root, run):
    Ledger(root).write_stage("study", "pretrain", {"runs": [], "best": None})
    with pytest.raises(CheckpointError, match=r"^study/pretain: no checkpoint, run or stage of this name \(stages of study: pretrain\)"):
        load_model("study/pretain", root)
    with pytest.raises(CheckpointError, match=r"^study/pretrain: no checkpoint"):
        load_model("study/pretrain", root)


def test_what_a_trainer_writes_says_what_it_is():
    off = LossTerm(weight=0.0)
    trainer = Trainer(G3DR(CONFIG), Objective(ObjectiveConfig(clip=off, perceptual=off)), TrainingConfig(steps=1), seed=0)
    assert trainer.checkpoint().config == CONFIG


@pytest.mark.parametrize("name", ["study/absent", "absent", "/nowhere/at/all", "runs/0123"])
def test_what_is_not_there_is_named_with_what_would_be_allowed(root, run, name):
    with pytest.raises(CheckpointError, match=rf"^{name}: no checkpoint, run or stage of this name in .*quickstart/pretrain"):
        load_model(name, root)
