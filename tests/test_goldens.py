"""Every array of the goldens of the U-Net, the losses, the schedules and NFS, through the public interface.

Each test ends by asking which arrays of its file nobody has compared. `test_published_command` does the same for unet_medium_recipe.
"""

import numpy as np
import pytest
import torch
from goldens_recipe import Golden, recipe_input, recipe_state

from g3dr.backbones.clip import clip_input
from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig, TrainingConfig
from g3dr.errors import DataError
from g3dr.losses import compare, opacity_loss, schedules, total_variation
from g3dr.metrics import depth_histogram, flatness, non_flatness_score
from g3dr.model import G3DR
from g3dr.render.compositing import REGULARIZATION_RANGE, regularization_factor
from g3dr.training.checkpoint import load_model
from g3dr.training.learning_rate import beta1, learning_rate

pytestmark = pytest.mark.numeric

UNET, FULL_UNET, ELSEWHERE = 1e-4, 1e-3, 2e-5
PAPER_STEPS = 300_000


def make_config(golden):
    generator = GeneratorConfig(resolution=int(golden["image_size"]), width=int(golden["dim"]), features=int(golden["feature_dim"]))
    return ModelConfig(generator, RendererConfig())


def planes_of(model, rgbd):
    return model.planes(rgbd[:, :3], rgbd[:, 3:])


def test_the_small_unet_and_its_gradients():
    golden, gradients = Golden("unet_small"), Golden("unet_small_grads")
    model = G3DR(make_config(golden))
    names = [name for name in golden.untouched if name.startswith("sd/")]
    load_model(model, {name.removeprefix("sd/"): golden.tensor(name) for name in names}, "unet_small.npz")
    planes = planes_of(model, golden.tensor("input_rgbd"))
    golden.check("planes", planes, UNET)
    with torch.inference_mode():
        golden.check("planes", planes_of(model, golden.tensor("input_rgbd")), UNET)
    assert not golden.untouched

    cotangent = np.random.RandomState(int(gradients["cotangent_seed"])).standard_normal(planes.shape).astype(np.float32)
    (planes * torch.from_numpy(cotangent)).sum().backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    gradients.check("grad_norms", np.array([float(found[name].norm()) for name in gradients["grad_norm_keys"]]), UNET)
    gradients.check("grad_final_conv_weight", found["final_conv.weight"], UNET)
    gradients.check("grad_init_conv_bias", found["init_conv.bias"], UNET)
    gradients.check("grad_mid_attn_qkv", found["mid_attn.fn.fn.to_qkv.weight"][:64], UNET)
    assert {name for name, gradient in found.items() if gradient is None} == set(gradients["params_without_grad"])
    assert not gradients.untouched


def test_the_full_unet():
    golden = Golden("unet_full_recipe")
    model = G3DR.blank(make_config(golden))
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == int(golden["n_params"])
    assert len(shapes) == int(golden["n_tensors"])
    load_model(model, recipe_state(shapes, int(golden["weight_seed"])), "the recipe")
    rgbd = recipe_input(int(golden["input_seed"]), int(golden["image_size"]))
    golden.check("input_sub", rgbd[..., ::16, ::16], 1e-6)
    with torch.inference_mode():  # the first image makes what is kept, the second uses it
        first, planes = planes_of(model, rgbd), planes_of(model, rgbd)
    assert torch.equal(first, planes)
    golden.check("planes_sub", planes[:, :, ::8, ::8, ::8], FULL_UNET)
    golden.check("planes_mean", planes.mean(), FULL_UNET)
    golden.check("planes_std", planes.std(), FULL_UNET)
    assert not golden.untouched


def test_losses_and_schedules():
    golden = Golden("losses")
    check_losses(golden)
    check_schedules(golden)
    check_one_cycle(golden)
    check_clip_input(golden)
    assert not golden.untouched


def check_losses(golden):
    pair = golden.tensor("a"), golden.tensor("b")
    golden.check("tv_out", total_variation(golden.tensor("tv_in")))
    golden.check("l1", compare("l1", *pair))
    golden.check("smooth_l1", compare("smooth_l1", *pair))
    golden.check("cosine_embedding_target1", compare("cosine", *pair))
    golden.check("weight_loss", opacity_loss(golden.tensor("weight_loss_in")))
    factor = regularization_factor(golden.tensor("gauss_pdf_in")[None, None], torch.tensor([[5.0]]))
    expected = golden["gauss_pdf_mean5_std003"].clip(*REGULARIZATION_RANGE)
    np.testing.assert_allclose(factor[0, 0].numpy(), expected, rtol=ELSEWHERE, atol=ELSEWHERE)


def check_schedules(golden):
    steps = [int(step) for step in golden["steps"]]
    golden.check("high2low_24_6_0_100000", [schedules.novel_yaw_divisor(step, PAPER_STEPS, (24.0, 6.0)) for step in steps])
    golden.check("low2high_0_1_0_150000", [schedules.opacity_factor(step, PAPER_STEPS) for step in steps])
    golden.check("clip_ramp_035", [0.35 * schedules.ramp(1 / 16, 1.0, step, PAPER_STEPS, until=1 / 3) for step in steps])
    golden.check("p_novel_300000", [schedules.novel_chance(step, PAPER_STEPS, 0.4) for step in steps])


def check_one_cycle(golden):
    steps = int(golden["onecycle_total"])
    published = TrainingConfig(steps=steps, cycle_momentum=True)
    golden.check("onecycle_lr", [1e5 * learning_rate(published, step) for step in range(steps)])
    golden.check("onecycle_beta1", [beta1(published, step) for step in range(steps)])
    assert {beta1(TrainingConfig(steps=steps), step) for step in range(steps)} == {0.9}, "ours keeps the beta1 that was asked for"


def check_clip_input(golden):
    prepared = clip_input(golden.tensor("clip_in_01") * 2 - 1)[..., ::13, ::13]
    golden.check("clip_pre_gt_sub", prepared)
    golden.check("clip_pre_from_pm1_sub", prepared)


def test_non_flatness():
    golden = Golden("nfs")
    maps = golden.tensor("depth_maps")[:, None]
    assert (float(golden["min_depth"]), float(golden["max_depth"])) == (4.0, 6.0)
    histogram = depth_histogram(maps)
    assert histogram.shape[1] == int(golden["num_bins"])
    np.testing.assert_array_equal(histogram.numpy(), golden["histograms"])
    golden.check("exp_entropy_per_map", flatness(maps))
    golden.check("nfs", np.float64(non_flatness_score(maps)))
    check_fork(golden)
    assert not golden.untouched


def check_fork(golden):
    """A fork of the authors' code measured colours, each picture over its own range: nearly every bin is full whatever the shape is."""
    frames = golden.tensor("fork_frames")[:, 0]
    counts = torch.stack([torch.histc(frame, 64, float(frame.min()), float(frame.max())) for frame in frames])
    shares = (counts / counts.sum(dim=1, keepdim=True)).double()
    golden.check("fork_nfs_data_range_rgb", np.float64(torch.exp(-(shares * torch.log(shares + 1e-12)).sum(dim=1)).mean()))
    with pytest.raises((DataError, TypeError), match=r"Depth maps have the shape|depth"):
        flatness(frames)


@pytest.mark.parametrize("step", [-1000, 400_000])
def test_schedules_are_clamped_on_both_sides(step):
    edge = 0 if step < 0 else PAPER_STEPS
    assert schedules.novel_yaw_divisor(step, PAPER_STEPS, (24.0, 6.0)) == schedules.novel_yaw_divisor(edge, PAPER_STEPS, (24.0, 6.0))
    assert schedules.opacity_factor(step, PAPER_STEPS) == schedules.opacity_factor(edge, PAPER_STEPS)
    assert schedules.novel_chance(step, PAPER_STEPS, 0.4) == schedules.novel_chance(edge, PAPER_STEPS, 0.4)
