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
