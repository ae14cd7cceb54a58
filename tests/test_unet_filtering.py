"""Convolutions with fewer products, and as one product of matrices, against the direct form in float64: values and gradients."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812, the usual name
from torch import Tensor

from g3dr.unet import convolutions, filtering, unfolded, winograd
from g3dr.unet.convolutions import StandardizedConvolution, tiles_for

pytestmark = pytest.mark.numeric

ALGORITHMS = {
    "small": filtering.SMALL_TILES,
    "large": filtering.LARGE_TILES,
    "wide": filtering.WIDE_FILTERS,
    "upsampling": filtering.UPSAMPLING,
    "unfolded": None,
}


def noise(*shape, seed=0, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **options)


def direct(kind, features, weight, bias):
    features = F.interpolate(features, scale_factor=2, mode="nearest") if kind == "upsampling" else features
    return F.conv2d(features, weight, bias, padding=weight.shape[-1] // 2)


def fast(kind, features, weight, bias):
    algorithm = ALGORITHMS[kind]
    return winograd.convolved(features, weight, bias, algorithm) if algorithm else unfolded.convolved(features, weight, bias)


def results(form, kind, inputs) -> list[Tensor]:
    """Returns the map and the gradients of features, filters and bias."""
    inputs = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    result = form(kind, *inputs)
    upstream = noise(*result.shape, seed=9).to(result)
    return [result.detach(), *torch.autograd.grad(result, inputs, upstream)]


def example(kind, batch=2, inputs=24, outputs=16, size=(24, 8)):
    taps = 7 if kind == "wide" else 3
    return noise(batch, inputs, *size), noise(outputs, inputs, taps, taps, seed=1) / taps, noise(outputs, seed=2)


def error(actual, exact):
    return float((actual - exact).square().mean().sqrt() / exact.square().mean().sqrt())


def exactly(kind, inputs):
    return results(direct, kind, [tensor.double() for tensor in inputs])


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("part", [1, 2**15, 2**22])
def test_values_and_gradients_are_exact_to_a_millionth(kind, part, monkeypatch):
    monkeypatch.setattr(winograd, "PART_BYTES", part)
    monkeypatch.setattr(winograd, "FILTERS_PER_PART", 2**20)
    inputs = example(kind)
    for actual, exact in zip(results(fast, kind, inputs), exactly(kind, inputs), strict=True):
        assert error(actual, exact) < 1e-6


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_they_are_as_accurate_as_the_direct_form(kind):
    inputs = example(kind, batch=1, inputs=128, outputs=128, size=(16, 16))
    for actual, plain, exact in zip(results(fast, kind, inputs), results(direct, kind, inputs), exactly(kind, inputs), strict=True):
        assert error(actual, exact) < 2 * error(plain, exact)


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_the_same_bits_come_out_on_every_run(kind):
    inputs = example(kind)
    for one, other in zip(results(fast, kind, inputs), results(fast, kind, inputs), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_gradients_of_one_input_are_those_of_all(kind, wanted):
    inputs = list(example(kind))
    expected = results(fast, kind, inputs)[1 + wanted]
    inputs[wanted].requires_grad_()
    result = fast(kind, *inputs)
    result.backward(noise(*result.shape, seed=9))
    assert torch.equal(inputs[wanted].grad, expected)
    assert [tensor.grad is None for tensor in inputs].count(False) == 1


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_memory_order_does_not_matter_and_the_result_has_channels_last(kind):
    features, weight, bias = example(kind)
    result = fast(kind, features, weight, bias)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(result, fast(kind, features.contiguous(memory_format=torch.channels_last), weight, bias))
    assert torch.equal(result, fast(kind, features, weight.flip(0).flip(0).contiguous(memory_format=torch.channels_last), bias))


def test_products_of_each_algorithm():
    per_pixel = {kind: one.products / one.tile**2 for kind, one in ALGORITHMS.items() if one}
    assert per_pixel == {"small": 16 / 4, "large": 46 / 16, "wide": 286 / 64, "upsampling": 9 / 4}


@pytest.mark.parametrize(
    ("shape", "fewest", "expected"),
    [
        ((1, 8, 64, 64), 256, "large"),
        ((1, 8, 32, 32), 256, "small"),
        ((4, 8, 32, 32), 256, "large"),
        ((1, 8, 66, 64), 256, "small"),
        ((1, 8, 65, 64), 256, "unfolded"),
        ((1, 8, 16, 16), 256, "unfolded"),
        ((1, 8, 16, 16), 1, "small"),
    ],
)
def test_the_form_follows_from_the_number_of_tiles(shape, fewest, expected):
    assert tiles_for(torch.empty(shape, device="meta"), fewest) is ALGORITHMS[expected]


@pytest.mark.parametrize("size", [(16, 16), (8, 8), (6, 8), (7, 5)])
def test_a_layer_learns_the_same_in_every_form(size, monkeypatch):
    layer, features = StandardizedConvolution(12, 16), noise(1, 12, *size)
    gradients = []
    for narrowest in (17, 1):
        monkeypatch.setattr(convolutions, "WIDE_CHANNELS", narrowest)
        monkeypatch.setattr(convolutions, "FEWEST_TILES", 16)
        gradients.append(torch.autograd.grad(layer(features).square().sum(), list(layer.parameters())))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))
