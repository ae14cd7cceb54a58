"""The small depth network, its training step, and its use."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from g3dr.backbones.loading import load_perceptual
from g3dr.backbones.pictures import unit_length
from g3dr.config import TrainingConfig
from g3dr.depth import Measure, Picture, to_distance
from g3dr.depth.config import DepthNetworkConfig
from g3dr.depth.encoder import CHANNELS
from g3dr.depth.learning import DepthLearner
from g3dr.depth.network import DepthNetwork
from g3dr.depth.trained import NetworkEstimator, half_precision, looks, working_size
from g3dr.errors import ConfigError
from g3dr.pictures import decode_depth, decode_image
from g3dr.procedural import ProceduralConfig, examples, make_example
from g3dr.training.chance import StepChance
from g3dr.types import Batch

pytestmark = pytest.mark.unit

SMALL = DepthNetworkConfig(resolution=64, width=16)
TRAINING = TrainingConfig(steps=2, batch_size=4)


def make_batch(species=(0, 1, 3, 7), side=64) -> Batch:
    config = ProceduralConfig(species=species, individuals=1, held_out=0, views=0, resolution=side, supersampling=1)
    drawn = [make_example(config, one) for one in examples(config)]
    images = torch.stack([torch.from_numpy(decode_image(one.image)).permute(2, 0, 1).float() / 127.5 - 1 for one in drawn])
    depths = torch.stack([torch.from_numpy(decode_depth(one.depth)).unsqueeze(0) for one in drawn])
    return Batch(images, depths, [one.key for one in drawn], [one.species for one in drawn])


@pytest.fixture(scope="module")
def learner():
    made = DepthLearner(SMALL, TRAINING)
    made.initialize(0)
    return made


def test_the_encoder_sees_what_imagenet_taught_it(learner):
    images = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = learner.network.encoder(images)
    known = load_perceptual("efficientnet_lite0").stage_features(images)
    assert tuple(stage.shape[1] for stage in found) == CHANNELS
    for mine, theirs in zip(found, known, strict=True):
        assert torch.allclose(unit_length(mine) * 5**-0.5, theirs, atol=1e-5)


@pytest.mark.parametrize("frozen", [0, 3, 5])
def test_frozen_stages_get_no_gradient(frozen):
    made = DepthLearner(replace(SMALL, frozen_stages=frozen), TRAINING)
    made.initialize(0)
    made(make_batch((0,)), StepChance(0, 0, [0]), 0)["loss"].backward()
    trained = [any(p.grad is not None for p in stage.parameters()) for stage in made.network.encoder.stages]
    assert trained == [number >= frozen for number in range(5)]
    assert all(p.grad is not None for p in made.network.decoder.parameters())
    assert not any(p.requires_grad for stage in made.network.encoder.stages[:frozen] for p in stage.parameters())


def test_initial_weights_are_those_of_the_seed():
    first, second, other = DepthNetwork(SMALL), DepthNetwork(SMALL), DepthNetwork(SMALL)
    for network, seed in ((first, 1), (second, 1), (other, 2)):
        network.initialize(seed)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))
    assert not torch.equal(first.decoder.disparity.weight, other.decoder.disparity.weight)


def test_a_picture_gets_the_same_map_alone_and_in_a_batch(learner):
    images = make_batch().images
    learner.network.train()
    with torch.no_grad():
        together, alone = learner.network(images), learner.network(images[2:3])
    assert torch.allclose(together[2:3], alone, atol=1e-4)


def test_a_step_does_not_depend_on_how_the_batch_is_divided(learner):
    batch = make_batch()

    def gradients(parts):
        learner.zero_grad(set_to_none=True)
        losses = []
        for rows in parts:
            terms = learner(batch.part(rows), StepChance(4, 9, range(4)[rows]), 9)
            (terms["loss"] / len(parts)).backward()
            losses.append(terms["loss"].item())
        return np.mean(losses), torch.cat([p.grad.flatten() for p in learner.parameters() if p.grad is not None])

    (loss, whole), (loss_of_parts, parts) = gradients([slice(0, 4)]), gradients([slice(0, 2), slice(2, 4)])
    assert loss == pytest.approx(loss_of_parts, rel=1e-4)
    assert (whole - parts).norm() < 1e-3 * whole.norm()


def test_withheld_channels_are_other_ones_for_each_picture_and_keep_the_mean(learner):
    stage = torch.ones(3, 400, 2, 2)
    seen = learner._withheld(stage, StepChance(0, 0, range(3)))
    gone = (seen == 0).all(dim=(2, 3))
    assert gone.float().mean().item() == pytest.approx(SMALL.withheld, abs=0.05)
    assert seen.mean().item() == pytest.approx(1, abs=0.07)
    assert not torch.equal(gone[0], gone[1])


def test_a_few_steps_learn_the_depth_of_a_few_pictures():
    made = DepthLearner(replace(SMALL, scenes=0.0, least_crop=1.0, roll=0.0, camera=0.0, withheld=0.0), TRAINING)
    made.initialize(0)
    batch, optimizer = make_batch((0, 3)), torch.optim.Adam([p for p in made.parameters() if p.requires_grad], 3e-3)
    losses = []
    for step in range(16):
        optimizer.zero_grad()
        terms = made(batch, StepChance(0, step, range(2)), step)
        terms["loss"].backward()
        optimizer.step()
        losses.append(terms["ssi"].item())
    assert np.mean(losses[-4:]) < 0.7 * losses[0]


def test_an_assessment_says_what_simple_answers_reach(learner):
    batch, seen = make_batch(), []
    found = learner.assess([batch.part(slice(0, 2)), batch.part(slice(2, 4))], 0, seen.append)
    assert seen == [2, 4]
    assert list(found.keys) == list(batch.keys)
    assert list(found.species) == list(batch.species)
    assert {"spearman", "spearman_of_ramp", "disparity_rmse_of_mean", "disguised_abs_rel"} <= set(found.metrics)
    for name, values in found.per_image.items():
        assert len(values) == 4
        assert found.metrics[name] == pytest.approx(np.mean(values))
    assert found.metrics["disparity_rmse_of_ramp"] < found.metrics["disparity_rmse_of_mean"]
    assert len(found.pictures) == 2
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in found.pictures.values())
    again = learner.assess([batch.part(slice(0, 2)), batch.part(slice(2, 4))], 0, seen.append)
    assert again.metrics == found.metrics


@pytest.mark.parametrize(("height", "width"), [(37, 53), (200, 90), (3, 400), (300, 2), (1, 1), (64, 64)])
def test_pictures_of_any_size_get_a_map_of_theirs(learner, height, width):
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    (found,) = NetworkEstimator(learner.network, "f").estimate([Picture("a", rgb)])
    assert found.shape == (height, width)
    assert np.isfinite(found).all()


def test_pictures_keep_their_order_and_proportions(learner):
    chance = np.random.default_rng(1)
    pictures = [
        Picture(str(n), chance.integers(0, 256, (*size, 3), dtype=np.uint8)) for n, size in enumerate([(40, 60), (60, 40), (40, 60)])
    ]
    estimator = NetworkEstimator(learner.network, "f")
    found = estimator.estimate(pictures)
    for picture, one in zip(pictures, found, strict=True):
        assert np.abs(estimator.estimate([picture])[0] - one).max() < 1e-3
    assert estimator.estimate([]) == []
    assert looks(128) == (128, 96)
    assert looks(32) == (32, 32)
    assert working_size(480, 640, 128) == (128, 160)
    assert working_size(1000, 10, 64) == (256, 64)


def test_its_maps_become_depth(learner):
    estimator = NetworkEstimator(learner.network, "f")
    assert estimator.measure == Measure("disparity", is_scaled=False)
    batch = make_batch((0,))
    rgb = ((batch.images[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
    distance = to_distance(estimator.estimate([Picture("a", rgb)])[0], estimator.measure)
    assert distance.min() >= 4
    assert distance.max() < 6


def test_another_size_is_another_identity(learner):
    estimator = NetworkEstimator(learner.network, "f")
    assert estimator.at(96).identity() != estimator.identity()
    with pytest.raises(ConfigError, match="positive multiple of 32"):
        estimator.at(100)


def test_weights_in_16_bits_say_the_same(learner):
    images = make_batch((0,)).images
    rounded = DepthNetwork(SMALL)
    rounded.load_state_dict(half_precision(learner.network.state_dict()))
    with torch.no_grad():
        exact, found = learner.network(images), rounded(images)
    assert (exact - found).abs().max() < 0.05 * exact.std()


@pytest.mark.parametrize(
    ("name", "value"),
    [("resolution", 100), ("width", 24), ("frozen_stages", 6), ("scenes", 1.5), ("least_crop", 0.0), ("trim", 1.0), ("average_decay", 1.0)],
)
def test_a_network_that_cannot_be_is_refused(name, value):
    with pytest.raises(ConfigError, match=rf"network\.depth\.{name}"):
        replace(SMALL, **{name: value})
