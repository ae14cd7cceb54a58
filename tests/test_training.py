"""Training: chance, learning rates, checkpoints, resuming, freezing, sharing a batch between workers."""

import pickle

import pytest
import torch

from g3dr.config import GeneratorConfig, LossTerm, ModelConfig, ObjectiveConfig, RendererConfig, TrainingConfig
from g3dr.errors import CheckpointError, NonFiniteLossError
from g3dr.losses import Objective
from g3dr.model import G3DR
from g3dr.training.chance import StepChance
from g3dr.training.checkpoint import Checkpoint, load_model, read_checkpoint, write_checkpoint
from g3dr.training.learning_rate import beta1, learning_rate
from g3dr.training.optimization import Place
from g3dr.training.step import TrainingStep
from g3dr.training.trainer import Trainer
from g3dr.training.window import Window
from g3dr.types import Batch

pytestmark = pytest.mark.unit

MODEL = ModelConfig(
    GeneratorConfig(resolution=16, width=8, multipliers=(1, 2), position_channels=4, features=8, attention=False),
    RendererConfig(layout="perspective", decoder_width=8, coarse_samples=6, fine_samples=6),
)
OBJECTIVE = ObjectiveConfig(clip=LossTerm("l1", 0.0), perceptual=LossTerm("l2", 0.0), pooled_rgb=LossTerm("l1", 1.0))


def make_settings(**changes) -> TrainingConfig:
    return TrainingConfig(
        **{"steps": 12, "batch_size": 4, "rays_per_image": 24, "learning_rate": 1e-2, "novel_probability": 0.5, **changes}
    )


def make_batch(seed: int = 0, count: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 3, 16, 16, generator=generator) * 2 - 1
    depths = torch.rand(count, 1, 16, 16, generator=generator) * 2 + 4
    return Batch(images, depths, [str(number) for number in range(count)], ["thing"] * count)


def make_trainer(settings: TrainingConfig | None = None, **place) -> Trainer:
    model = G3DR(MODEL)
    model.initialize(1)
    return Trainer(model, Objective(OBJECTIVE), settings or make_settings(), seed=3, place=Place(**place))


def train(trainer: Trainer, steps: int) -> list[float]:
    return [float(trainer.run_step(make_batch(trainer.step))["loss"]) for _ in range(steps)]


def test_chance_depends_on_position_and_not_on_the_number_of_workers():
    whole = StepChance(7, 5, range(4)).uniform(3)
    parts = [StepChance(7, 5, range(rank, 4, 2)).uniform(3) for rank in range(2)]
    assert torch.equal(whole[0::2], parts[0])
    assert torch.equal(whole[1::2], parts[1])
    assert StepChance(7, 5, [0]).shared_uniform() == StepChance(7, 5, [3]).shared_uniform()
    assert not torch.equal(whole, StepChance(7, 6, range(4)).uniform(3))
    assert not torch.equal(whole, StepChance(8, 5, range(4)).uniform(3))


def test_chosen_pixels_are_different_ones():
    chosen = StepChance(0, 0, range(2)).choose(50, 20)
    assert [len(set(row.tolist())) for row in chosen] == [20, 20]
    assert int(chosen.max()) < 50


@pytest.mark.parametrize(("steps", "warm_up"), [(60, 0.02), (173, 0.3), (1000, 0.02)])
def test_learning_rate_and_momentum_equal_the_scheduler_of_torch(steps, warm_up):
    config = make_settings(steps=steps, warm_up=warm_up, cycle_momentum=True)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([parameter], lr=config.learning_rate, betas=config.betas)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=steps, pct_start=warm_up, div_factor=25)
    for step in range(steps):
        assert learning_rate(config, step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6, abs=1e-12)
        assert beta1(config, step) == pytest.approx(optimizer.param_groups[0]["betas"][0], rel=1e-6)
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()


def test_constant_schedule_and_default_momentum_do_not_move():
    config = make_settings(schedule="constant")
    assert {learning_rate(config, step) for step in range(12)} == {1e-2}
    assert {beta1(make_settings(), step) for step in range(12)} == {0.9}


def test_training_lowers_the_loss_of_one_batch():
    trainer = make_trainer(make_settings(steps=60, novel_probability=0.0))
    random = make_batch()
    smooth = Batch(
        random.images.mean(dim=(2, 3), keepdim=True).expand_as(random.images) * 8, random.depths * 0 + 5, random.keys, random.species
    )
    losses = [float(trainer.run_step(smooth)["depth"]) for _ in range(60)]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_resuming_from_a_checkpoint_is_bit_equal():
    undisturbed = make_trainer()
    expected = train(undisturbed, 12)
    first = make_trainer()
    begun = train(first, 5)
    files = write_checkpoint(first.checkpoint())
    second = make_trainer()
    second.restore(read_checkpoint(files, "test"), "test")
    assert begun + train(second, 7) == expected
    for name, value in undisturbed.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_two_workers_see_the_gradient_of_one():
    def gradients(rank: int, world_size: int) -> dict[str, torch.Tensor]:
        trainer = make_trainer(rank=rank, world_size=world_size)
        batch, positions = make_batch(), slice(rank, None, world_size)
        part = Batch(batch.images[positions], batch.depths[positions], batch.keys[positions], batch.species[positions])
        step = TrainingStep(trainer.model, Objective(OBJECTIVE), trainer.config)
        chance = StepChance(3, 2, range(rank, 4, world_size))
        step(part, chance, 2)["loss"].backward()
        return {name: parameter.grad for name, parameter in trainer.model.named_parameters() if parameter.grad is not None}

    whole, halves = gradients(0, 1), [gradients(rank, 2) for rank in range(2)]
    assert whole.keys() == halves[0].keys()
    for name, gradient in whole.items():
        mean = (halves[0][name] + halves[1][name]) / 2
        assert torch.allclose(mean, gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max()) + 1e-9), name


def test_freezing_the_encoder_leaves_it_as_it_was():
    trainer = make_trainer(make_settings(freeze="encoder"))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    train(trainer, 3)
    frozen = set(trainer.model.encoder_parameters())
    changed = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    assert frozen
    assert not changed & frozen
    assert changed == set(before) - frozen


@pytest.mark.parametrize(
    "changes",
    [
        {"depth_importance": 1.0},
        {"depth_regularization": False},
        {"rays_per_image": None},
        {"precision": "bfloat16"},
        {"gradient_clip": 0.5},
    ],
)
def test_every_setting_trains_and_changes_the_result(changes):
    plain, other = make_trainer(make_settings(novel_probability=0.0)), make_trainer(make_settings(novel_probability=0.0, **changes))
    train(plain, 2)
    losses = train(other, 2)
    assert all(torch.isfinite(torch.tensor(losses)))
    assert any(not torch.equal(value, other.model.state_dict()[name]) for name, value in plain.model.state_dict().items())


def test_novel_steps_name_their_terms():
    trainer = make_trainer(make_settings(novel_probability=1.0))
    trainer.step = 11  # the chance of a novel step has reached its highest
    terms = trainer.run_step(make_batch())
    assert {"loss", "novel_tv", "novel_pooled_rgb"} <= terms.keys()
    assert "rgb" not in terms


def test_window_averages_each_term_over_the_steps_that_have_it():
    window = Window()
    window.add({"loss": torch.tensor(1.0), "rgb": torch.tensor(4.0)})
    window.add({"loss": torch.tensor(3.0)})
    assert window.close(2) == {"loss": 2.0, "rgb": 4.0}
    assert window.close(2) == {}


def test_a_loss_that_is_not_finite_is_named_with_its_step():
    window = Window()
    window.add({"loss": torch.tensor(float("nan")), "rgb": torch.tensor(0.5)})
    with pytest.raises(NonFiniteLossError, match=r"loss .*step 17"):
        window.close(17)


def test_the_step_and_the_images_at_fault_are_named():
    window = Window()
    for step, value in ((1, 1.0), (2, float("inf")), (3, float("nan"))):
        window.add({"loss": torch.tensor(value)}, step, [f"owl/{step}", f"fox/{step}"])
    with pytest.raises(NonFiniteLossError, match=r"in step 2: .*batch: owl/2, fox/2") as caught:
        window.close(3)
    assert caught.value.keys == ("owl/2", "fox/2")
    assert pickle.loads(pickle.dumps(caught.value)).keys == ("owl/2", "fox/2")


def test_checkpoint_survives_the_round_trip():
    state = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(2.5)}
    read = read_checkpoint(write_checkpoint(Checkpoint(4, state, {"a.exp_avg": torch.ones(2)})), "here")
    assert read.step == 4
    assert torch.equal(read.model["a"], state["a"])
    assert torch.equal(read.optimizer["a.exp_avg"], torch.ones(2))


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "checkpoint.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped"])
def test_damaged_checkpoints_are_refused_with_their_place(name, damage):
    files = write_checkpoint(Checkpoint(1, {"a": torch.ones(8)}, {"a.exp_avg": torch.ones(8)}))
    if damage == "missing":
        del files[name]
    else:
        files[name] = files[name][:-9] if damage == "truncated" else b"\x00" + files[name][1:]
    with pytest.raises(CheckpointError, match="over there"):
        read_checkpoint(files, "over there")


def test_a_checkpoint_of_another_size_names_what_differs():
    model, other = (
        G3DR(MODEL),
        G3DR(
            ModelConfig(
                GeneratorConfig(resolution=16, width=16, multipliers=(1, 2), position_channels=4, features=8, attention=False),
                MODEL.renderer,
            )
        ),
    )
    with pytest.raises(CheckpointError, match=r"of another size \(.*, the model needs"):
        load_model(model, other.state_dict(), "other.safetensors")
    with pytest.raises(CheckpointError, match="1 missing"):
        load_model(model, {name: value for name, value in model.state_dict().items() if name != "decoder.net.0.bias"}, "x")


def test_resuming_with_another_part_frozen_is_refused():
    frozen = make_trainer(make_settings(freeze="encoder"))
    train(frozen, 1)
    with pytest.raises(CheckpointError, match="optimizer state lacks"):
        make_trainer().restore(frozen.checkpoint(), "x")
