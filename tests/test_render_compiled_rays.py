"""Compiled fine sampling and compositing against the stock form, which test_render compares with the slow reference."""

import hashlib
from pathlib import Path

import pytest
import torch
from render_forms import assert_near

import g3dr.render
from g3dr.render import along_rays, compiled, compositing_kernels, kernel_math, kernels, sampling_kernels
from g3dr.render.sampling import even_quantiles

pytest.importorskip("numba", reason="the compiled form needs Numba")


def chance(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def make_rays(*, coarse=8, fine=6, batch=2, rays=150, values=4, density=4.0):
    """Returns raw values of samples in the order in which they were evaluated, their distances, and which rays hit."""
    raw = (chance(values, batch, rays, coarse + fine) - 0.5) * 2 * density
    near = 4 + chance(batch, rays, coarse, seed=1).sort(dim=-1).values * 2
    hit = chance(batch, rays, seed=3) > 0.1
    return raw, torch.cat([near, 4 + chance(batch, rays, fine, seed=2) * 2], dim=-1), coarse, hit


@pytest.fixture
def stock(monkeypatch):
    """Computes with operations of PyTorch, in double precision."""

    def compute(function, *arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "usable", lambda values: False)
            widened = [value.double() if torch.is_tensor(value) and value.is_floating_point() else value for value in arguments]
            return function(*widened, **options)

    return compute


def with_gradients(raw, *arguments, render=along_rays.pixels, **options):
    raw = raw.clone().requires_grad_()
    rendering = (
        render(along_rays.pixels, raw, *arguments, **options) if render is not along_rays.pixels else render(raw, *arguments, **options)
    )
    results = [value for value in vars(rendering).values() if value is not None]
    ramps = [torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).reshape(value.shape) for value in results]
    return results, torch.autograd.grad(sum((value * ramp).sum() for value, ramp in zip(results, ramps, strict=True)), raw)[0]


@pytest.mark.numeric
@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fine": 0},
        {"coarse": 1, "fine": 0},
        {"coarse": 1, "fine": 1},
        {"values": 9},
        {"density": 60.0},
        {"rays": 1, "batch": 1},
        {"coarse": 64, "fine": 64},
    ],
)
def test_pixels_and_gradients_are_those_of_the_stock_form(options, known, white, stock):
    raw, distances, coarse, hit = make_rays(**options)
    depth = 4.5 + chance(*hit.shape, seed=4) if known else None
    raw_wide = raw.double()
    results, gradient = with_gradients(raw, distances, coarse, hit, depth, white_background=white)
    expected, expected_gradient = with_gradients(raw_wide, distances, coarse, hit, depth, white_background=white, render=stock)
    assert len(results) == len(expected) == (5 if "values" in options else 4)
    for one, other in zip(results, expected, strict=True):
        assert_near(one, other)
    assert_near(gradient, expected_gradient)


@pytest.mark.numeric
@pytest.mark.parametrize("coarse", [4, 5, 32])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("density", [0.0, 4.0, 60.0])
def test_fine_samples_lie_where_the_stock_form_draws_them(coarse, even, density, stock):
    raw, distances, _, hit = make_rays(coarse=coarse, fine=0, density=density)
    quantiles = even_quantiles(20, distances) if even else chance(2, 150, 20, seed=5)
    given = raw[0], distances, hit, quantiles
    assert_near(along_rays.fine_distances(*given), stock(along_rays.fine_distances, *given))


@pytest.mark.unit
def test_quantiles_at_both_ends_stay_between_the_outer_edges():
    raw, distances, _, hit = make_rays(coarse=8, fine=0)
    ends = torch.tensor([0.0, 1 - 2**-24, 0.5]).expand(2, 150, 3)
    fine = along_rays.fine_distances(raw[0], distances, hit, ends)
    edges = (distances[..., 1:] + distances[..., :-1]) / 2
    assert torch.allclose(fine[..., 0], edges[..., 0])
    assert (fine <= edges[..., -1:] + 1e-6).all()


@pytest.mark.unit
def test_what_is_no_number_spoils_its_own_ray_only():
    raw, distances, coarse, hit = make_rays()
    raw[0, 0, 3, 2] = float("nan")
    hit[0, 3] = True
    fine = along_rays.fine_distances(raw[0, ..., :coarse], distances[..., :coarse], hit, even_quantiles(5, distances))
    assert fine[0, 3].isnan().any()
    assert fine[0, :3].isfinite().all()
    results, gradient = with_gradients(raw, distances, coarse, hit, None)
    assert all(value[0, 3].isnan().all() for value in results)
    assert all(value[1].isfinite().all() and value[0, 4:].isfinite().all() for value in results)
    assert gradient[:, 0, 3].isnan().any()
    assert gradient[:, 1].isfinite().all()


@pytest.mark.numeric
def test_results_are_the_same_bits_on_any_number_of_threads():
    raw, distances, coarse, hit = make_rays(rays=700)
    results, threads = [], torch.get_num_threads()
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            values, gradient = with_gradients(raw, distances, coarse, hit, None)
            results.append([*values, gradient])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for result in results[1:] for one, other in zip(result, results[0], strict=True))


@pytest.mark.numeric
def test_small_thickness_does_not_cancel():
    magnitudes = torch.logspace(-12, 2, 500)
    found = torch.tensor([kernel_math.one_minus_exp_of_minus(value) for value in magnitudes.numpy()])
    expected = -torch.expm1(-magnitudes.double())
    assert ((found - expected).abs() <= 1e-6 * expected).all()


@pytest.mark.unit
@pytest.mark.parametrize("loops", [kernels, sampling_kernels, compositing_kernels])
def test_loops_name_the_digest_of_what_they_share_so_that_they_are_compiled_again_when_it_changes(loops):
    shared = Path(g3dr.render.__file__).with_name("kernel_math.py").read_bytes()
    assert hashlib.sha256(shared).hexdigest()[:16] == loops.MATH
