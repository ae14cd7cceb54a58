"""Two ways to need less memory: a batch in parts, and activations computed again. Neither changes what is learned."""

from collections.abc import Iterator

import pytest
import torch
from experiment_document import DOCUMENT
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from training_fixture import Network, assert_equal_gradients, gradients, make_batch, make_settings, make_trainer, train

from g3dr.errors import ConfigError
from g3dr.profiling.instruments import Stopwatch
from orchestrator.experiment.loading import check_document
from orchestrator.experiment.merging import set_path
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.settings import Settings
from orchestrator.runs import DataSelection, RunSpec

pytestmark = pytest.mark.unit

ROUNDING = 1e-4
KINDS = [
    {"novel_probability": 0.0},
    {"novel_probability": 0.0, "rays_per_image": None, "depth_importance": 1.0},
    {"novel_probability": 1.0},
]


def step_of(*, network: bool = False, **changes):
    """Does one late step; returns its terms and gradients."""
    trainer = make_trainer(make_settings(**changes), Network() if network else None)
    trainer.step = 11
    terms = trainer.run_step(make_batch())
    return {name: float(value) for name, value in terms.items()}, gradients(trainer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_have_the_loss_and_the_gradient_of_the_whole(kind, parts):
    whole, whole_gradient = step_of(network=True, **kind)
    terms, gradient = step_of(network=True, accumulation=parts, **kind)
    assert terms == pytest.approx(whole, rel=ROUNDING)
    assert_equal_gradients(whole_gradient, gradient, ROUNDING)


def test_training_in_parts_follows_the_curve_of_training_with_the_whole():
    whole, parts = make_trainer(), make_trainer(make_settings(accumulation=2))
    assert train(parts, 8) == pytest.approx(train(whole, 8), rel=1e-3)


def test_two_workers_in_parts_have_the_gradient_of_one_with_the_whole():
    _, whole = step_of(novel_probability=0.0)
    halves = []
    for rank in range(2):
        trainer = make_trainer(make_settings(novel_probability=0.0, accumulation=2), rank=rank, world_size=2)
        trainer.step = 11
        batch = make_batch().part(slice(rank, None, 2))
        trainer.run_step(batch)
        halves.append(gradients(trainer))
    assert_equal_gradients(whole, {name: (halves[0][name] + halves[1][name]) / 2 for name in halves[0]}, ROUNDING)


@pytest.fixture
def process_group() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_workers_exchange_gradients_once_a_step(process_group):
    exchanged = []

    def count(_, bucket):
        exchanged.append(bucket.index())
        future = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future

    def wrap(module):
        wrapped = DistributedDataParallel(module)
        wrapped.register_comm_hook(None, count)
        return wrapped

    _, whole = step_of(novel_probability=0.0)
    trainer = make_trainer(make_settings(novel_probability=0.0, accumulation=4), wrap=wrap)
    trainer.step = 11
    trainer.run_step(make_batch())
    assert exchanged == sorted(set(exchanged))
    assert exchanged
    assert_equal_gradients(whole, gradients(trainer), ROUNDING)


@pytest.mark.parametrize(("parts", "workers"), [(4, 2), (1, 3)])
def test_a_batch_that_cannot_be_divided_is_refused(parts, workers):
    with pytest.raises(ConfigError, match=rf"training.accumulation: got {parts}, allowed: a divisor of .* the {workers} workers"):
        make_trainer(make_settings(accumulation=parts), world_size=workers)


@pytest.mark.parametrize(("path", "parts", "message"), [("training.accumulation", 3, "a divisor of training.batch_size, which is 4")])
def test_a_file_says_what_parts_are_allowed(path, parts, message):
    with pytest.raises(ExperimentError, match=message):
        check_document(set_path(DOCUMENT, path, parts), "small.yaml")


def test_a_file_whose_workers_and_parts_do_not_fit_together_is_refused():
    with pytest.raises(ExperimentError, match=r"divided by training\.accumulation, which is 4"):
        check_document(set_path(DOCUMENT, "training.accumulation", 4), "small.yaml")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_recomputed_activations_give_the_same_loss_and_gradient(kind, precision):
    kept, kept_gradient = step_of(precision=precision, **kind)
    terms, gradient = step_of(precision=precision, activation_checkpointing=True, **kind)
    assert terms == kept
    assert_equal_gradients(kept_gradient, gradient, ROUNDING if precision == "float32" else 0.02)


def test_recomputing_works_with_a_frozen_encoder():
    _, kept = step_of(freeze="encoder", novel_probability=0.0)
    _, recomputed = step_of(freeze="encoder", novel_probability=0.0, activation_checkpointing=True)
    assert_equal_gradients(kept, recomputed, ROUNDING)


def test_recomputing_keeps_less_for_the_way_back():
    def kept(**changes) -> int:
        trainer, watch = make_trainer(make_settings(**changes)), Stopwatch(torch.device("cpu"))
        batch = make_batch()
        with watch.counting(set()):
            watch.start()
            planes = trainer.model.planes(batch.images, batch.depths)
            watch.forward("U-Net")
        assert planes.requires_grad
        return watch.stop()["U-Net"].kept

    assert kept(activation_checkpointing=True) < 0.5 * kept()


def test_how_memory_is_saved_is_not_part_of_what_a_run_is():
    def identity(**changes) -> str:
        settings = Settings(training=make_settings(**changes))
        return RunSpec(settings.model, settings.objective, settings.training, DataSelection("v", "train")).id

    assert identity(accumulation=2, activation_checkpointing=True, feature_memory=0) == identity()
    assert identity(batch_size=8) != identity()
