"""Pictures at twice their size: the geometry, the network, how it learns, and frames of half the size in the right place."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional

from g3dr.cameras import FOV_DEGREES, camera_rays, camera_to_world, fov_of_blocks, frontal_pose
from g3dr.config import TrainingConfig
from g3dr.errors import CheckpointError, ConfigError
from g3dr.networks import network_to_json
from g3dr.training.chance import StepChance
from g3dr.training.checkpoint import Checkpoint, write_checkpoint
from g3dr.types import Batch
from g3dr.upscaling import UpscalerConfig
from g3dr.upscaling.frames import FrameUpscaler
from g3dr.upscaling.learning import UpscalerLearner
from g3dr.upscaling.network import bicubic, halved
from orchestrator.enlarging import enlarger_named
from orchestrator.store import open_store

pytestmark = pytest.mark.unit

TINY = UpscalerConfig(resolution=16, width=8, blocks=1)


def pictures(count=4, side=16, seed=0):
    """Pictures of flat blocks of 2 x 2 pixels, whose halves say all of them: a network can learn what interpolation cannot know."""
    blocks = torch.rand(count, 3, side // 2, side // 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return functional.interpolate(blocks, scale_factor=2, mode="nearest")


def batch_of(images):
    count = len(images)
    return Batch(images, torch.full((count, 1, *images.shape[-2:]), 5.0), [f"a/{one}" for one in range(count)], ["a"] * count)


def learner(seed=0):
    made = UpscalerLearner(TINY, TrainingConfig(steps=10, batch_size=4))
    made.initialize(seed)
    return made


def test_halving_undoes_doubling_of_what_is_flat():
    flat = torch.full((1, 3, 6, 10), 0.3)
    assert torch.allclose(halved(bicubic(flat)), flat)
    assert bicubic(flat).shape == (1, 3, 12, 20)


def test_a_new_network_is_bicubic():
    images = pictures()
    assert torch.equal(learner().network(images), bicubic(images))
    assert learner().network(images[..., :10]).shape == (4, 3, 32, 20)


def test_the_first_weights_are_a_function_of_the_seed():
    first, same, other = (learner(seed).network.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["enter.weight"], other["enter.weight"])


def trained(steps=150):
    made, images = learner(), pictures(16)
    optimizer = torch.optim.Adam(made.network.parameters(), lr=5e-3)
    for step in range(steps):
        optimizer.zero_grad()
        rows = slice(4 * (step % 4), 4 * (step % 4) + 4)
        made(batch_of(images[rows]), StepChance(0, step, range(4)), step)["loss"].backward()
        optimizer.step()
    return made


@pytest.fixture(scope="module")
def learned():
    return trained()


def test_it_learns_more_than_bicubic_knows_about_pictures_that_it_never_saw(learned):
    told = []
    assessment = learned.assess([batch_of(pictures(3, seed=9)), batch_of(pictures(2, seed=8))], 0, told.append)
    assert assessment.metrics["psnr_gain"] > 1
    assert assessment.metrics["psnr"] - assessment.metrics["bicubic_psnr"] == pytest.approx(assessment.metrics["psnr_gain"])
    assert {name: len(values) for name, values in assessment.per_image.items()} == dict.fromkeys(assessment.metrics, 5)
    assert len(assessment.keys) == len(assessment.species) == 5
    assert told == [3, 5]
    [sheet] = assessment.pictures.values()
    assert sheet.dtype == np.uint8


def test_the_gradient_does_not_depend_on_how_a_batch_is_shared_out():
    whole, shared, images = learner(), learner(), pictures(4)
    torch.nn.init.normal_(whole.network.leave.weight, generator=torch.Generator().manual_seed(0))
    shared.load_state_dict(whole.state_dict())
    whole(batch_of(images), StepChance(0, 0, range(4)), 0)["loss"].backward()
    for rows in (slice(0, 2), slice(2, 4)):
        (shared(batch_of(images[rows]), StepChance(0, 0, range(4)[rows]), 0)["loss"] / 2).backward()
    for one, other in zip(whole.network.parameters(), shared.network.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-6)


def test_frames_are_enlarged_as_bytes():
    frame = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    large = FrameUpscaler()(frame)
    assert large.shape == (12, 16, 3)
    assert np.abs(FrameUpscaler()(np.full((4, 4, 3), 77, np.uint8)).astype(int) - 77).max() <= 1


def test_a_pixel_of_the_half_size_looks_through_the_middle_of_four():
    side = 8
    pose = camera_to_world(*frontal_pose(1))
    small = camera_rays(pose, side, fov_of_blocks(side, 2)).directions.reshape(side, side, 3)
    large = camera_rays(pose, 2 * side).directions.reshape(2 * side, 2 * side, 3)
    on_plane = large / large[..., :1]
    means = functional.avg_pool2d(on_plane.permute(2, 0, 1)[None], 2)[0].permute(1, 2, 0)
    assert torch.allclose(small / small[..., :1], means, atol=1e-6)
    assert fov_of_blocks(side, 1) == pytest.approx(FOV_DEGREES)


def test_a_trained_network_is_found_by_name(learned, tmp_path):
    checkpoint = Checkpoint(10, learned.network.state_dict(), {}, network=network_to_json(TINY))
    (tmp_path / "larger").mkdir()
    for name, data in write_checkpoint(checkpoint).items():
        (tmp_path / "larger" / name).write_bytes(data)
    found = enlarger_named("larger", open_store(str(tmp_path)), torch.device("cpu"))
    frame = ((halved(pictures(1, seed=9))[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
    assert np.abs(found(frame).astype(int) - FrameUpscaler(learned.network)(frame)).max() == 0
    assert np.abs(found(frame).astype(int) - FrameUpscaler()(frame)).max() > 3
    index = json.loads((tmp_path / "larger" / "checkpoint.json").read_text())
    index["network"]["kind"] = "depth"
    (tmp_path / "larger" / "checkpoint.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError):
        enlarger_named("larger", open_store(str(tmp_path)), torch.device("cpu"))


@pytest.mark.parametrize("values", [{"resolution": 15}, {"width": 0}, {"blocks": -1}])
def test_settings_are_checked(values):
    with pytest.raises(ConfigError, match=f"network.upscaler.{next(iter(values))}"):
        UpscalerConfig(**values)
