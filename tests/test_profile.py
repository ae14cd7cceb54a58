"""`g3dr profile`: watching changes nothing, the parts add up, and a person is told what to do."""

import json
from pathlib import Path

import pytest
import torch
from training_fixture import (
    WITH_NETWORKS,
    WITHOUT_NETWORKS,
    Network,
    assert_equal_gradients,
    gradients,
    make_batch,
    make_settings,
    make_trainer,
)
from typer.testing import CliRunner

from g3dr.backbones import Backbones
from g3dr.config import ModelConfig, ObjectiveConfig
from g3dr.errors import ConfigError, WeightsMissingError
from g3dr.profiling.advice import advice
from g3dr.profiling.instruments import Cost, Stopwatch
from g3dr.profiling.steps import StepKind, StepProfile, TrainingProfile, Workload, profile_training, step_kinds
from g3dr.profiling.untrained import backbones_or_untrained, untrained_names
from g3dr.profiling.watching import NETWORK, OPTIMIZER, RENDERING, TABLE, WatchedObjective, WatchedTrainer
from orchestrator.cli.main import app
from orchestrator.experiment.loading import load_experiment
from orchestrator.experiment.problems import ExperimentError
from orchestrator.profiling import request_of

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")
FOLDER = Path(__file__).parent.parent / "experiments"
TINY = [
    "--set", "model.generator.width=8", "--set", "training.rays_per_image=32", "--set", "training.novel_resolution=8",
]  # fmt: skip


def watched_trainer(**changes) -> tuple[WatchedTrainer, Stopwatch]:
    watch, network = Stopwatch(CPU), Network()
    plain = make_trainer(make_settings(**changes), network)
    objective = WatchedObjective(WITH_NETWORKS, Backbones(network, network), None, watch)
    trainer = WatchedTrainer(plain.model, objective, plain.config, watch, seed=3)
    trainer.step = 11
    return trainer, watch


@pytest.mark.parametrize(
    "changes", [{"novel_probability": 0.0}, {"novel_probability": 1.0, "accumulation": 2, "activation_checkpointing": True}]
)
def test_a_watched_step_computes_what_every_step_computes(changes):
    plain = make_trainer(make_settings(**changes), Network())
    plain.step = 11
    plain.run_step(make_batch())
    trainer, _ = watched_trainer(**changes)
    parts = trainer.watched_step(make_batch)
    assert_equal_gradients(gradients(plain), gradients(trainer), 1e-6)
    assert parts.keys() >= {NETWORK, TABLE, RENDERING, OPTIMIZER, "loss: opacity"}


def test_every_part_has_its_way_back_and_the_parts_are_the_whole():
    trainer, watch = watched_trainer(novel_probability=0.0)
    started = watch.now()
    parts = trainer.watched_step(make_batch, count_memory=True)
    whole = watch.now() - started
    assert sum(cost.seconds for cost in parts.values()) == pytest.approx(whole, rel=0.05)
    for name, cost in parts.items():
        assert cost.forward > 0, name
        if name in (RENDERING, NETWORK, TABLE) or "embedding" in name:
            assert cost.backward > 0, name
            assert cost.kept > 0, name
    assert not watch.is_running


def test_hooks_are_gone_after_the_measurement():
    trainer, _ = watched_trainer()
    trainer.close()
    assert not trainer.model.renderer._forward_hooks
    assert not trainer.model.renderer.builder._forward_pre_hooks


def test_kinds_of_steps_share_the_training_among_them():
    config = make_settings(steps=1000, novel_probability=0.4)
    kinds = step_kinds(config, ObjectiveConfig())
    assert [kind.novel for kind in kinds] == [False, False, True]
    assert sum(kind.share for kind in kinds) == pytest.approx(1)
    assert kinds[2].share == pytest.approx(0.2 * 0.2 + 0.8 * 0.4, abs=0.01)  # a ramp up to 0.4 over a fifth of the steps
    assert kinds[1].share == pytest.approx(0.5 * 0.6, abs=0.01)
    assert (kinds[0].step, kinds[1].step) == (499, 999)
    assert [kind.novel for kind in step_kinds(make_settings(novel_probability=0.0), WITHOUT_NETWORKS)] == [False]


def test_a_profile_measures_every_kind_and_counts_features_that_are_kept():
    network, told = Network(), []
    work = Workload(make_trainer().model, WITH_NETWORKS, Backbones(network, network), make_settings(), make_batch, CPU, images=4)
    found = profile_training(work, steps=2, progress=lambda *news: told.append(news))
    assert [step.kind.novel for step in found.steps] == [False, True]
    assert found.mean_step > 0
    assert sum(found.shares().values()) == pytest.approx(1)
    assert found.held["Adam's moments"] == 2 * found.held["parameters"]
    assert told
    assert found.images == 4


def profile_of(**seconds: float) -> TrainingProfile:
    parts = {name.replace("_", " ").replace("UNet", "U-Net"): Cost(value, 0.0, 2**30) for name, value in seconds.items()}
    step = StepProfile(StepKind("the input view", 0, novel=False, share=1.0), parts, 1.0, 2**31)
    return TrainingProfile([step], {"parameters": 1}, None, 4)


@pytest.mark.parametrize(
    ("slow", "changes", "device", "expected"),
    [
        ("UNet", {}, "cuda", "training.precision=bfloat16"),
        ("UNet", {"precision": "bfloat16"}, "cuda", "training.freeze=encoder"),
        ("UNet", {"activation_checkpointing": True}, "cpu", "activation_checkpointing=false"),
        ("rendering", {"rays_per_image": None}, "cpu", "training.rays_per_image=4096"),
        ("rendering", {}, "cpu", "training.novel_resolution=64"),
        ("optimizer", {}, "cpu", "training.batch_size"),
    ],
)
def test_what_dominates_comes_with_a_setting_to_change(slow, changes, device, expected):
    profile = profile_of(**{"UNet": 0.1, "rendering": 0.1, "optimizer": 0.1, slow: 1.0})
    assert expected in advice(profile, ModelConfig(), make_settings(**changes), device).time


def test_less_memory_is_offered_while_there_is_something_to_save():
    def offered(**changes) -> str:
        return advice(profile_of(UNet=1.0), ModelConfig(), make_settings(**changes), "cpu").memory

    assert "activation_checkpointing=true" in offered()
    assert "accumulation=2" in offered(activation_checkpointing=True)
    assert offered(activation_checkpointing=True, accumulation=4) == ""


def test_networks_without_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("G3DR_WEIGHTS", str(tmp_path))
    objective = ObjectiveConfig(clip=WITHOUT_NETWORKS.clip)
    try:
        backbones_or_untrained(objective, CPU, allow_random=False)
    except WeightsMissingError:
        found = backbones_or_untrained(objective, CPU, allow_random=True)
        assert untrained_names(found) == ["lpips-vgg16"]
        assert found.perceptual is not None
        assert [stage.shape[1] for stage in found.perceptual.stage_features(torch.zeros(1, 3, 16, 16))] == [64, 128, 256, 512, 512]
    else:
        pytest.skip("the weights of VGG-16 are on this machine")


def test_the_command_prints_tables_and_what_to_do_next():
    result = CliRunner().invoke(app, ["profile", str(FOLDER / "quickstart.yaml"), "--steps", "1", "--device", "cpu", *TINY])
    assert result.exit_code == 0, result.output
    for words in ("pretrain", "U-Net", "node table", "loss: rgb", "a novel view", "kept for backward", "takes", "next: g3dr profile"):
        assert words in result.output


def test_the_command_prints_json_for_a_stage_that_starts_from_another():
    arguments = ["profile", str(FOLDER / "quickstart.yaml"), "--steps", "1", "--device", "cpu", "--stage", "species", "--json", *TINY]
    result = CliRunner().invoke(app, arguments)
    found = json.loads(result.stdout)
    assert found["stage"] == "species"
    assert found["steps"][0]["parts"]["U-Net"]["backward"] > 0
    assert found["mean_step_seconds"] > 0


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_has_a_stage_to_profile(path):
    assert request_of(load_experiment(path), None).spec.training.steps > 0


@pytest.mark.parametrize(("stage", "message"), [("pretrian", 'did you mean "pretrain"'), ("unseen", "it only measures")])
def test_stages_that_cannot_be_profiled_are_refused(stage, message):
    with pytest.raises(ExperimentError, match=message):
        request_of(load_experiment(FOLDER / "quickstart.yaml"), stage)


def test_an_unknown_device_is_refused():
    result = CliRunner().invoke(app, ["profile", str(FOLDER / "quickstart.yaml"), "--device", "tpu"])
    assert isinstance(result.exception, ConfigError)
    assert "auto, cpu, cuda or mps" in str(result.exception)
