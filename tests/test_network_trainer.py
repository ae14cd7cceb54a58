"""Networks of the front end are trained as G3DR is: to the bit the same after a resume, the same however a batch is shared out."""

from dataclasses import replace

import pytest
import torch
from network_fixture import Cleaner, make_network_trainer
from training_fixture import make_batch, make_settings

from g3dr.errors import CheckpointError
from g3dr.training.checkpoint import read_checkpoint, write_checkpoint
from g3dr.training.network_trainer import RAW, NetworkTrainer, average_decay


def train(trainer: NetworkTrainer, steps: int) -> list[float]:
    return [float(trainer.run_step(make_batch(trainer.step % 3))["loss"]) for _ in range(steps)]


def through_files(trainer: NetworkTrainer):
    return read_checkpoint(write_checkpoint(trainer.checkpoint()), "a test")


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_a_resumed_training_is_the_undisturbed_one_to_the_bit(decay: float) -> None:
    whole, first, second = (make_network_trainer(decay) for _ in range(3))
    expected = train(whole, 9)
    train(first, 4)
    second.restore(through_files(first), "a test")
    assert second.step == 4
    assert train(second, 5) == expected[4:]
    ended, resumed = whole.checkpoint(), second.checkpoint()
    assert all(torch.equal(value, resumed.model[name]) for name, value in ended.model.items())
    assert all(torch.equal(value, resumed.optimizer[name]) for name, value in ended.optimizer.items())


def test_a_checkpoint_gives_users_the_average_and_keeps_the_weights_beside_it() -> None:
    trainer = make_network_trainer(0.9)
    names = [f"0.{name}" for name in ("weight", "bias")]
    expected = {name: trainer.model.state_dict()[name].clone() for name in names}
    for step in range(1, 6):
        train(trainer, 1)
        decay = average_decay(0.9, step)
        expected = {name: decay * value + (1 - decay) * trainer.model.state_dict()[name] for name, value in expected.items()}
    checkpoint = trainer.checkpoint()
    for name in names:
        torch.testing.assert_close(checkpoint.model[name], expected[name])
        assert torch.equal(checkpoint.optimizer[f"{name}{RAW}"], trainer.model.state_dict()[name])
        assert not torch.equal(checkpoint.model[name], trainer.model.state_dict()[name])


def test_without_an_average_nothing_is_kept_beside_the_weights() -> None:
    trainer = make_network_trainer()
    train(trainer, 2)
    assert not [name for name in trainer.checkpoint().optimizer if name.endswith(RAW)]


def test_the_average_forgets_the_initial_weights_soon() -> None:
    assert average_decay(0.999, 1) == pytest.approx(2 / 11)
    assert average_decay(0.999, 10**6) == 0.999


def test_frozen_parts_stay_and_are_in_the_checkpoint() -> None:
    trainer = make_network_trainer(0.9)
    before = trainer.model.state_dict()["1.weight"].clone()
    train(trainer, 3)
    checkpoint = trainer.checkpoint()
    assert torch.equal(checkpoint.model["1.weight"], before)
    assert not [name for name in checkpoint.optimizer if name.startswith("1.")]


def test_what_is_prepared_before_the_first_step_is_not_prepared_again_after_a_resume(monkeypatch) -> None:
    first, second = make_network_trainer(), make_network_trainer()
    train(first, 2)
    scale = first.model.scale.clone()
    assert float(scale) == pytest.approx(float(torch.stack([make_batch(0).images.std(), make_batch(1).images.std()]).mean()))
    monkeypatch.setattr(Cleaner, "prepare", lambda *_: pytest.fail("prepared again"))
    second.restore(through_files(first), "a test")
    train(second, 1)
    assert torch.equal(second.model.scale, scale)


def test_parts_of_a_batch_give_the_gradient_of_the_whole() -> None:
    whole, parts = make_network_trainer(), make_network_trainer(settings=make_settings(accumulation=2))
    losses = [train(trainer, 3) for trainer in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(value, parts.model.state_dict()[name], rtol=1e-4, atol=1e-6)


def test_workers_draw_what_their_images_would_get_in_the_whole_batch() -> None:
    whole = make_network_trainer()
    workers = [make_network_trainer(rank=rank, world_size=2) for rank in range(2)]
    batch = make_batch()
    parts = [batch.part(slice(rank, None, 2)) for rank in range(2)]
    losses = [float(worker.run_step(part)["loss"]) for worker, part in zip(workers, parts, strict=True)]
    assert sum(losses) / 2 == pytest.approx(float(whole.run_step(batch)["loss"]), rel=1e-5)


def test_a_checkpoint_says_which_network_it_holds() -> None:
    read = through_files(make_network_trainer())
    assert read.config is None
    assert read.network is not None
    assert read.network["kind"] == "upscaler"
    assert read.network["resolution"] == Cleaner().config.resolution


def test_a_checkpoint_of_a_training_without_an_average_is_refused_by_one_with(tmp_path) -> None:
    plain = make_network_trainer()
    train(plain, 1)
    with pytest.raises(CheckpointError, match=r"here: the checkpoint lacks the weights 0\.weight beside their average"):
        make_network_trainer(0.9).restore(through_files(plain), "here")


def test_a_checkpoint_of_another_network_does_not_fit() -> None:
    trainer = make_network_trainer()
    checkpoint = trainer.checkpoint()
    other = replace(checkpoint, model={**checkpoint.model, "0.bias": torch.zeros(4)})
    with pytest.raises(CheckpointError, match="1 of another size"):
        trainer.restore(other, "here")
