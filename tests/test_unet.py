"""The U-Net against golden numbers of the published network, and its options."""

from pathlib import Path

import numpy as np
import pytest
import torch

from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.model import G3DR
from g3dr.unet import TriplaneUNet
from g3dr.unet.position import initial_position_map

GOLDENS = Path(__file__).parent / "goldens"


def make_model(width, features, resolution, **options):
    return G3DR(ModelConfig(GeneratorConfig(resolution=resolution, width=width, features=features, **options), RendererConfig()))


def load_recipe_weights(model, seed):
    """Fills the model from one stream of normal numbers in the order of sorted names (see goldens/README.md)."""
    generator, state = np.random.RandomState(seed), model.state_dict()
    for name in sorted(state):
        normal = torch.from_numpy(generator.standard_normal(tuple(state[name].shape)).astype(np.float32))
        if name == "pos_embed" or name.endswith((".g", "norm.weight")):
            state[name].copy_(1 + 0.1 * normal)
        elif name.endswith("bias"):
            state[name].copy_(0.1 * normal)
        elif "decoder.net" in name:
            state[name].copy_(normal)
        else:
            state[name].copy_(normal / np.sqrt(np.prod(normal.shape[1:])))


def recipe_input(seed, resolution):
    generator = np.random.RandomState(seed)
    color = generator.uniform(-1, 1, (1, 3, resolution, resolution)).astype(np.float32)
    depth = generator.uniform(4, 6, (1, 1, resolution, resolution)).astype(np.float32)
    return torch.from_numpy(color), torch.from_numpy(depth)


def assert_near(actual, expected, tolerance):
    assert (actual - torch.from_numpy(np.asarray(expected))).abs().max() <= tolerance * np.abs(expected).max()


@pytest.fixture(scope="module")
def small():
    with np.load(GOLDENS / "unet_small.npz") as arrays:
        golden = {name: arrays[name] for name in arrays.files}
    model = make_model(8, 8, 16)
    model.load_state_dict({name.removeprefix("sd/"): torch.from_numpy(golden[name]) for name in golden if name.startswith("sd/")})
    return model, golden


@pytest.mark.numeric
def test_small_planes_match_the_golden(small):
    model, golden = small
    rgbd = torch.from_numpy(golden["input_rgbd"])
    assert_near(model.planes(rgbd[:, :3], rgbd[:, 3:]).detach(), golden["planes"], 1e-4)
    with torch.inference_mode():
        assert_near(model.planes(rgbd[:, :3], rgbd[:, 3:]), golden["planes"], 1e-4)


@pytest.mark.numeric
def test_small_gradients_match_the_golden(small):
    model, golden = small
    model.zero_grad()
    rgbd = torch.from_numpy(golden["input_rgbd"])
    planes = model.planes(rgbd[:, :3], rgbd[:, 3:])
    with np.load(GOLDENS / "unet_small_grads.npz") as grads:
        cotangent = np.random.RandomState(int(grads["cotangent_seed"])).standard_normal(planes.shape).astype(np.float32)
        (planes * torch.from_numpy(cotangent)).sum().backward()
        parameters = dict(model.named_parameters())
        norms = np.array([float(parameters[name].grad.norm()) for name in grads["grad_norm_keys"]])
        np.testing.assert_allclose(norms, grads["grad_norms"], rtol=2e-3, atol=1e-4 * grads["grad_norms"].max())
        assert_near(parameters["final_conv.weight"].grad, grads["grad_final_conv_weight"], 1e-4)
        assert_near(parameters["init_conv.bias"].grad, grads["grad_init_conv_bias"], 1e-3)
        assert {name for name, value in parameters.items() if value.grad is None} == set(grads["params_without_grad"])


@pytest.mark.numeric
@pytest.mark.parametrize(("file", "stride", "tolerance"), [("unet_medium_recipe", (1, 2), 1e-4), ("unet_full_recipe", (8, 8), 1e-3)])
def test_recipe_planes_match_the_golden(file, stride, tolerance):
    with np.load(GOLDENS / f"{file}.npz") as golden:
        resolution = int(golden["image_size"])
        model = make_model(int(golden["dim"]), int(golden["feature_dim"]), resolution)
        load_recipe_weights(model, int(golden["weight_seed"]))
        with torch.inference_mode():  # the first image makes what is kept, the second uses it
            first, planes = (model.planes(*recipe_input(int(golden["input_seed"]), resolution)) for _ in range(2))
        assert torch.equal(first, planes)
        assert_near(planes[:, :, :: stride[0], :: stride[1], :: stride[1]], golden["planes_sub"], tolerance)
        assert float(planes.std()) == pytest.approx(float(golden["planes_std"]), rel=tolerance)


@pytest.mark.unit
def test_parameter_names_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        unet = TriplaneUNet(GeneratorConfig())
    published = {}
    for line in (GOLDENS / "state_dict_full.txt").read_text().splitlines():
        name, shape = line.split(" ", 1)
        published[name] = tuple(int(size) for size in shape.strip("()").split(",") if size.strip())
    own = {name: tuple(value.shape) for name, value in unet.state_dict().items()}
    assert own == {name: shape for name, shape in published.items() if not name.startswith("decoder.")}
    assert sum(int(np.prod(shape)) for shape in published.values()) == 147_406_212


@pytest.mark.unit
def test_without_attention_and_position_there_are_no_such_parameters():
    model = make_model(8, 4, 16, multipliers=(1, 2), attention=False, position_channels=0)
    assert not [name for name in model.state_dict() if "qkv" in name or "pos_embed" in name]
    planes = model.planes(torch.zeros(2, 3, 16, 16), torch.full((2, 1, 16, 16), 5.0))
    assert planes.shape == (2, 3, 4, 16, 16)


@pytest.mark.unit
@pytest.mark.parametrize("channels", [1, 5, 16, 256])
def test_coordinates_fill_the_first_channels(channels):
    position = initial_position_map(channels, 32, "coordinates")
    assert position.shape == (1, channels, 32, 32)
    torch.testing.assert_close(position[0, 0, 7], torch.linspace(-1, 1, 32))
    assert position.abs().max() <= 1
    if channels == 256:
        assert (position[0, -1] == 1).all()


@pytest.mark.unit
def test_norms_stay_in_float32_under_autocast():
    torch.manual_seed(0)
    model = make_model(16, 8, 16, position_channels=4)
    images, depths = torch.rand(1, 3, 16, 16) * 2 - 1, torch.full((1, 1, 16, 16), 5.0)
    seen = []
    for module in model.modules():
        if type(module).__name__ in {"GroupNorm", "ChannelNorm"}:
            module.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    with torch.no_grad():
        exact = model.planes(images, depths)
        seen.clear()
        with torch.autocast("cpu", torch.bfloat16):
            rough = model.planes(images, depths)
    assert set(seen) == {torch.float32}
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() < 0.05 * exact.norm()
