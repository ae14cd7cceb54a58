"""The renderer's compiled loops against the stock form, which test_render compares with the slow reference."""

import subprocess
import sys

import pytest
import torch
from test_render import assert_near, random_case, rendered_with_gradients

from g3dr.config import RendererConfig
from g3dr.render import PlaneDecoder, RaySampling, Renderer, compiled
from g3dr.render.decoding import stock_gradients, stock_values
from g3dr.render.lookup import Places

pytest.importorskip("numba", reason="the compiled form needs Numba")
PAIRS = {2: ((0, 1), (0, 2)), 3: ((0, 1), (2, 3), (2, 0))}


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_case(*, planes=2, side=41, width=8, values=4, batch=2, samples=300):
    pairs = PAIRS[planes]
    places = Places(noise(1 + max(map(max, pairs)), batch, samples, seed=3).mul(0.7), pairs, side)
    return noise(batch, planes * side**2, width), noise(values, width, seed=1), noise(values, seed=2), places


@pytest.mark.numeric
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"planes": 3},
        {"width": 1},
        {"width": 37, "values": 7},
        {"values": 9, "width": 64},
        {"samples": 1, "batch": 1},
        {"samples": 0},
        {"samples": 5000},
    ],
)
def test_values_and_gradients_are_those_of_the_stock_form(options, monkeypatch):
    monkeypatch.setattr(compiled, "PART", 512)
    monkeypatch.setattr(compiled, "HELD", 2048)
    rows, weight, bias, places = make_case(**options)
    values, expected = compiled.values(rows, weight, bias, places), stock_values(rows, weight, bias, places)
    assert values.shape == expected.shape
    assert torch.allclose(values, expected, rtol=1e-5, atol=1e-5)
    gradient = noise(*values.shape, seed=4)
    for one, other in zip(compiled.gradients(rows, weight, places, gradient), stock_gradients(rows, weight, places, gradient), strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, rtol=1e-4, atol=2e-5 * max(1.0, float(other.abs().max())))


@pytest.mark.numeric
def test_hidden_values_of_any_size_are_squashed_like_those_of_the_reference():
    side = 41
    rows, places = torch.linspace(-150, 150, side**2)[:, None].repeat(2, 1)[None], make_case(side=side, width=1, batch=1, samples=4000)[3]
    one, nothing = torch.ones(1, 1), torch.zeros(1)
    values = compiled.values(rows, one, nothing, places)
    expected = stock_values(rows.double(), one.double(), nothing.double(), Places(places.coordinates.double(), places.pairs, side))
    assert float(expected.min()) < 1e-20
    assert float(expected.max()) > 200
    assert (values - expected).abs().max() <= 2e-7 * 300


@pytest.mark.numeric
def test_gradients_are_the_same_bits_on_any_number_of_threads():
    rows, weight, _, places = make_case(width=64, samples=9000)
    gradient, threads = noise(4, 2, 9000, seed=4), torch.get_num_threads()
    results = []
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            results.append(compiled.gradients(rows, weight, places, gradient))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for result in results[1:] for one, other in zip(result, results[0], strict=True))


@pytest.mark.unit
def test_what_is_no_number_stays_none_and_reads_nothing_outside_of_the_table():
    rows, weight, bias, places = make_case(samples=4)
    places.coordinates[:, 0, 0], places.coordinates[:, 0, 1] = float("nan"), float("inf")
    values = compiled.values(rows, weight, bias, places)
    assert values[:, 0, 0].isnan().all()
    assert values[:, 0, 1:].isfinite().all()
    rows[0, 0] = float("nan")
    places.coordinates[:] = -9.0
    assert compiled.values(rows, weight, bias, places)[:, 0].isnan().all()


@pytest.mark.numeric
@pytest.mark.parametrize("layout", ["published", "perspective"])
def test_whole_renderings_are_those_of_the_stock_form(layout, monkeypatch):
    config, decoder, planes, rays, sampling = random_case(layout=layout)
    renderer = Renderer(config, 16)

    def render(given):
        return renderer(renderer.table(given, decoder), decoder, rays, sampling)

    fast, gradients = rendered_with_gradients(render, planes, decoder)
    monkeypatch.setattr(compiled, "usable", lambda rows: False)
    stock, expected = rendered_with_gradients(render, planes, decoder)
    for name in ("rgb", "depth", "opacity"):
        assert_near(getattr(fast, name), getattr(stock, name))
    for one, other in zip(gradients, expected, strict=True):
        assert_near(one, other)


@pytest.mark.unit
def test_only_float32_on_a_cpu_is_compiled():
    assert compiled.usable(torch.zeros(1, 1, 1))
    assert not compiled.usable(torch.zeros(1, 1, 1, dtype=torch.float64))
    assert not compiled.usable(torch.zeros(1, 1, 1, device="meta"))


@pytest.mark.unit
def test_numba_is_loaded_by_the_first_rendering_and_can_be_switched_off():
    script = (
        "import sys, torch\n"
        "from g3dr.render import compiled\n"
        "import g3dr.model\n"
        "print('numba' in sys.modules, compiled.usable(torch.zeros(1, 1, 1)))\n"
    )
    for switch, expected in (("0", "False True"), ("1", "False False")):
        environment = {"NUMBA_DISABLE_JIT": switch, "PATH": ""}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


@pytest.mark.unit
def test_semantic_channels_take_the_compiled_way_too():
    config = RendererConfig(layout="published", decoder_width=8, coarse_samples=4, fine_samples=4)
    decoder = PlaneDecoder(6, 8, semantics=3)
    _, _, planes, rays, _ = random_case(layout="published")
    renderer = Renderer(config, 16)
    rendering = renderer(renderer.table(planes, decoder), decoder, rays, RaySampling())
    assert rendering.semantics.shape == (2, 40, 3)
    assert (rendering.semantics == 0).all()
