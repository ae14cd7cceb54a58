"""The cheap forms of the U-Net's parts against the plain ones that they stand for, and the precision of the whole."""

import inspect

import pytest
import torch
import torch.nn.functional as F  # noqa: N812, the usual name

from benchmarks.unet_reference import published_planes
from g3dr import precision
from g3dr.config import GeneratorConfig, ModelConfig
from g3dr.errors import ConfigError
from g3dr.model import G3DR
from g3dr.unet import convolutions, generator
from g3dr.unet.convolutions import Convolution, Downsampling, PointwiseConvolution, StandardizedConvolution, Upsampling

pytestmark = pytest.mark.unit


def noise(*shape, seed=0, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **options)


def example(batch=1, resolution=16):
    generator = torch.Generator().manual_seed(4)
    images = torch.rand(batch, 3, resolution, resolution, generator=generator) * 2 - 1
    return images, torch.rand(batch, 1, resolution, resolution, generator=generator) + 4.5


def relative(actual, expected):
    return float((actual - expected).abs().max() / expected.abs().max())


@pytest.fixture
def _narrow_winograd(monkeypatch):
    """Lets narrow networks and small maps take the forms that wide ones and large ones take."""
    monkeypatch.setattr(convolutions, "WIDE_CHANNELS", 4)
    monkeypatch.setattr(convolutions, "FEWEST_TILES", 4)
    monkeypatch.setattr(generator, "FEWEST_WIDE_TILES", 1)


@pytest.mark.parametrize("kind", [Convolution, StandardizedConvolution])
@pytest.mark.parametrize("size", [(8, 8), (7, 8), (8, 5)])
@pytest.mark.usefixtures("_narrow_winograd")
def test_inference_convolves_as_training_does(kind, size):
    layer, features = kind(8, 16), noise(2, 8, *size)
    with torch.inference_mode():
        inferred = layer(features)
    torch.testing.assert_close(inferred, layer(features).detach(), rtol=1e-5, atol=1e-5)


def test_upsampling_is_neighbours_then_a_convolution():
    layer, features = Upsampling(6, 4), noise(2, 6, 5, 3)
    resized = F.interpolate(features, scale_factor=2, mode="nearest")
    torch.testing.assert_close(layer(features), F.conv2d(resized, layer[1].weight, layer[1].bias, padding=1))
    plain, merged = (torch.autograd.grad(out.square().sum(), layer[1].weight)[0] for out in (layer[1](resized), layer(features)))
    assert relative(merged, plain) < 1e-5


def test_downsampling_is_pixels_to_channels_then_a_convolution():
    layer, features = Downsampling(6, 4), noise(2, 6, 8, 4)
    torch.testing.assert_close(layer(features), layer[1](F.pixel_unshuffle(features, 2)))


def test_a_pointwise_convolution_is_a_convolution():
    layer, features = PointwiseConvolution(6, 4), noise(2, 6, 3, 5)
    torch.testing.assert_close(layer(features), F.conv2d(features, layer.weight, layer.bias))


GENERATORS = [
    GeneratorConfig(resolution=16, width=16, multipliers=(1, 2, 4), position_channels=6, features=4, plane_gain=3.0, depth_offset=5.0),
    GeneratorConfig(resolution=8, width=8, multipliers=(1, 1), position_channels=0, features=4, attention=False),
]


@pytest.mark.parametrize("config", GENERATORS)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.usefixtures("_narrow_winograd")
def test_planes_are_those_of_the_published_form(config, mode):
    model = G3DR(ModelConfig(config))
    with mode():
        planes, expected = (form(*example(2, config.resolution)) for form in (model.planes, lambda *rgbd: published_planes(model, *rgbd)))
    assert relative(planes.detach(), expected.detach()) < 1e-5


@pytest.mark.usefixtures("_narrow_winograd")
def test_gradients_are_those_of_the_published_form():
    model = G3DR(ModelConfig(GENERATORS[0]))
    parameters = [value for name, value in model.named_parameters() if not name.startswith("decoder.")]
    first, second = (
        torch.autograd.grad(planes.square().mean(), parameters)
        for planes in (model.planes(*example()), published_planes(model, *example()))
    )
    largest = max(float(gradient.abs().max()) for gradient in second)
    for one, other in zip(first, second, strict=True):
        assert (one - other).abs().max() < 1e-5 * largest


def fast_bfloat16(monkeypatch, *, supported):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": supported, "avx512_bf16": True}, raising=False)


def test_bfloat16_rounds_the_planes_by_less_than_a_hundredth(monkeypatch):
    fast_bfloat16(monkeypatch, supported=True)
    model = G3DR(ModelConfig(GENERATORS[0]))
    with torch.inference_mode():
        exact, rough = (model.encode(*example(), precision=kind).rows for kind in ("float32", "bfloat16"))
    error = (rough - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert 1e-4 < error < 0.01
    assert rough.dtype == torch.float32


def test_bfloat16_is_float32_where_that_is_faster(monkeypatch):
    fast_bfloat16(monkeypatch, supported=False)
    model = G3DR(ModelConfig(GENERATORS[1]))
    with torch.inference_mode():
        exact, asked = (model.encode(*example(resolution=8), precision=kind).rows for kind in ("float32", "bfloat16"))
    assert torch.equal(exact, asked)
    assert precision.computes_bfloat16_fast("cuda")


def test_a_named_precision_overrules_autocast_and_none_does_not():
    model = G3DR(ModelConfig(GENERATORS[0]))
    with torch.inference_mode():
        exact = model.encode(*example()).rows
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(model.encode(*example(), precision="float32").rows, exact)
            assert not torch.equal(model.encode(*example()).rows, exact)


def test_an_unknown_precision_is_refused():
    unchecked = inspect.unwrap(precision.inference_autocast)  # the test session's type checker would come first
    with pytest.raises(ConfigError, match="precision: got 'float64', allowed: float32 or bfloat16"):
        unchecked("cpu", "float64")


@pytest.mark.parametrize("config", GENERATORS)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
@pytest.mark.usefixtures("_narrow_winograd")
def test_nothing_is_made_on_the_default_device(config, mode):
    model, inputs = G3DR(ModelConfig(config)), example(2, config.resolution)
    with mode():
        expected = model.planes(*inputs)
        model.forget_constants()
        with torch.device("meta"):  # whatever does not follow the model would meet tensors without numbers here
            planes = model.planes(*inputs)
    assert torch.equal(planes, expected)


def test_all_tensors_move_with_the_model():
    model = G3DR(ModelConfig(GENERATORS[0])).to("meta")
    assert {tensor.device.type for tensor in (*model.parameters(), *model.buffers())} == {"meta"}
