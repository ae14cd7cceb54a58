"""The fast renderer against the slow reference, values and gradients; golden numbers are in test_render_goldens."""

import pytest
import torch
from render_forms import assert_near, form  # noqa: F401 (a fixture of every test)

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.config import RendererConfig
from g3dr.render import PlaneDecoder, RaySampling, Renderer
from g3dr.render.decoding import LARGEST_EXPONENT, softplus_
from g3dr.render.layouts import make_layout
from g3dr.render.reference import ReferenceRenderer
from g3dr.render.tiles import tile_order
from g3dr.types import Rays

LAYOUTS = ["published", "image_aligned", "perspective"]


def random_case(*, layout="perspective", batch=2, rays=40, coarse=7, fine=5, resolution=16, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    config = RendererConfig(layout=layout, decoder_width=8, coarse_samples=coarse, fine_samples=fine, **options)
    decoder = PlaneDecoder(6, 8)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    planes = torch.randn(batch, 3, 6, resolution, resolution, generator=generator)
    angles = torch.rand(batch, 2, generator=generator) * 0.8 + 1.2
    everything = camera_rays(camera_to_world(angles[:, 0], angles[:, 1]), 16, 26.0)
    chosen = torch.randperm(256, generator=generator)[:rays]
    bundle = Rays(everything.origins[:, chosen], everything.directions[:, chosen])
    sampling = RaySampling(
        jitter=torch.rand(batch, rays, coarse, generator=generator),
        fine_uniform=torch.rand(batch, rays, fine, generator=generator),
        window_depth=4.2 + torch.rand(batch, rays, generator=generator),
        window_mask=torch.arange(batch) % 2 == 1,
        regularization_depth=4.2 + torch.rand(batch, rays, generator=generator),
    )
    return config, decoder, planes, bundle, sampling


def rendered_with_gradients(render, planes, decoder):
    planes = planes.clone().requires_grad_()
    decoder.zero_grad()
    rendering = render(planes)
    weight = torch.linspace(0.5, 1.5, rendering.depth.numel()).reshape_as(rendering.depth)
    ((rendering.rgb * weight[..., None]).sum() + (rendering.depth * weight).sum() + (rendering.opacity * weight).sum()).backward()
    return rendering, [planes.grad, *(parameter.grad.clone() for parameter in decoder.parameters())]


@pytest.mark.unit
def test_without_chance_a_rendering_is_deterministic_and_finite():
    config, decoder, planes, rays, _ = random_case()
    renderer = Renderer(config, 16)
    first, second = (renderer(renderer.table(planes, decoder), decoder, rays, RaySampling()) for _ in range(2))
    assert torch.equal(first.rgb, second.rgb)
    assert first.depth.isfinite().all()


@pytest.mark.unit
def test_gradients_are_the_same_bits_on_every_run():
    config, decoder, planes, rays, sampling = random_case()
    renderer = Renderer(config, 16)
    runs = [
        rendered_with_gradients(lambda p: renderer(renderer.table(p, decoder), decoder, rays, sampling), planes, decoder)[1]
        for _ in range(2)
    ]
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))


def fast_and_slow(options):
    config, decoder, planes, rays, sampling = random_case(**options)
    fast, slow = Renderer(config, 16), ReferenceRenderer(config, make_layout(config.layout, 16), decoder)
    quick = rendered_with_gradients(lambda p: fast(fast.table(p, decoder), decoder, rays, sampling), planes, decoder)
    return quick, rendered_with_gradients(lambda p: slow.render(p, rays, sampling), planes, decoder)


def assert_same(one, other, tolerance=2e-5):
    (rendering, gradients), (expected, expected_gradients) = one, other
    for name in ("rgb", "depth", "opacity"):
        assert_near(getattr(rendering, name), getattr(expected, name))
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        assert_near(gradient, expected_gradient, tolerance)


@pytest.mark.numeric
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "options", [{}, {"white_background": True, "coarse": 2}, {"fine": 0}, {"rays": 1, "batch": 3}, {"ray_range": (4.5, 6.0)}]
)
def test_fast_equals_slow(layout, options):
    assert_same(*fast_and_slow({"layout": layout, **options}))


@pytest.mark.numeric
@pytest.mark.parametrize("samples", [7, 100])
def test_blocks_of_any_size_give_the_same_values_and_gradients(monkeypatch, samples):
    expected = fast_and_slow({})[1]
    for name in ("CPU_SAMPLES", "FORWARD_BLOCK", "BACKWARD_BLOCK"):
        monkeypatch.setattr(f"g3dr.render.decoding.{name}", samples * (3 if name == "BACKWARD_BLOCK" else 1))
    assert_same(fast_and_slow({})[0], expected)


@pytest.mark.numeric
@pytest.mark.parametrize("samples", [1, 100, 100_000])
def test_gradients_do_not_depend_on_how_many_samples_are_summed_at_once(monkeypatch, samples):
    monkeypatch.setattr("g3dr.render.lookup.SAMPLES_AT_ONCE", samples)
    assert_same(*fast_and_slow({"layout": "image_aligned"}))


@pytest.mark.unit
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("samples", [100])
def test_parts_of_rays_give_the_same_as_all_at_once(monkeypatch, grad, samples):
    config, decoder, planes, rays, sampling = random_case()
    renderer = Renderer(config, 16)

    def render(p):
        return renderer(renderer.table(p, decoder), decoder, rays, sampling)

    whole = rendered_with_gradients(render, planes, decoder)
    monkeypatch.setattr("g3dr.render.renderer.TRAINING_SAMPLES", samples)
    monkeypatch.setattr("g3dr.render.renderer.INFERENCE_SAMPLES", samples)
    if grad:
        assert_same(rendered_with_gradients(render, planes, decoder), whole, 1e-5)
    else:
        with torch.no_grad():
            parts = render(planes)
        assert_near(parts.rgb, whole[0].rgb, 1e-6)
        assert_near(parts.depth, whole[0].depth, 1e-6)


@pytest.mark.unit
def test_the_order_of_rays_changes_nothing():
    config, decoder, planes, rays, sampling = random_case(rays=40)
    renderer = Renderer(config, 16)
    table = renderer.table(planes, decoder)
    shuffled = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    moved = RaySampling(
        jitter=sampling.jitter[:, shuffled],
        fine_uniform=sampling.fine_uniform[:, shuffled],
        window_depth=sampling.window_depth[:, shuffled],
        window_mask=sampling.window_mask,
        regularization_depth=sampling.regularization_depth[:, shuffled],
    )
    straight = renderer(table, decoder, rays, sampling)
    other = renderer(table, decoder, Rays(rays.origins[:, shuffled], rays.directions[:, shuffled]), moved)
    for name in ("rgb", "depth", "opacity"):
        assert_near(getattr(other, name), getattr(straight, name)[:, shuffled], 1e-6)


@pytest.mark.unit
def test_rays_are_rendered_in_square_tiles():
    rays = camera_rays(camera_to_world(*frontal_pose(1)), 128)
    first = tile_order(rays)[0, :64]
    rows, columns = first // 128, first % 128
    assert int(rows.max() - rows.min()) <= 20
    assert int(columns.max() - columns.min()) <= 20


@pytest.mark.unit
@pytest.mark.parametrize("highest", [5.0, LARGEST_EXPONENT + 1, 1000.0])
def test_softplus_is_that_of_torch_from_very_small_to_very_large_values(highest):
    values = torch.cat([torch.linspace(-120, highest, 4001), torch.tensor([0.0, highest])])[:, None]
    exact = values.double().clamp(min=0) + torch.log1p(torch.exp(-values.double().abs()))
    assert (softplus_(values.clone()) - exact).abs().max() <= 2e-7 * max(1.0, highest)


@pytest.mark.unit
def test_window_moves_only_the_images_of_the_mask():
    config, decoder, planes, rays, sampling = random_case()
    renderer = Renderer(config, 16)
    table = renderer.table(planes, decoder)
    with_window = renderer(table, decoder, rays, RaySampling(window_depth=sampling.window_depth, window_mask=sampling.window_mask))
    without = renderer(table, decoder, rays, RaySampling())
    assert torch.equal(with_window.depth[0], without.depth[0])
    assert not torch.equal(with_window.depth[1], without.depth[1])


@pytest.mark.unit
def test_views_of_one_image_are_just_more_rays():
    config, decoder, planes, _, _ = random_case(batch=1)
    renderer = Renderer(config, 16)
    table = renderer.table(planes, decoder)
    views = camera_rays(camera_to_world(torch.tensor([1.4, 1.7]), torch.tensor([1.5, 1.6])), 6)
    together = renderer(table, decoder, Rays(views.origins.reshape(1, -1, 3), views.directions.reshape(1, -1, 3)), RaySampling())
    single = renderer(table, decoder, Rays(views.origins[1:], views.directions[1:]), RaySampling())
    assert_near(together.rgb[:, 36:], single.rgb, 1e-6)


@pytest.mark.unit
def test_perspective_fetches_the_features_of_the_pixel_on_whose_ray_a_sample_lies():
    resolution = 8
    layout = make_layout("perspective", resolution)
    rays = camera_rays(camera_to_world(*frontal_pose(1)), resolution)
    marked = torch.arange(resolution**2, dtype=torch.float32).reshape(1, 1, resolution, resolution)
    for distance in (4.1, 5.0, 5.9):
        grid = layout.coordinates(rays.origins + distance * rays.directions)[:, :, 0]
        fetched = torch.nn.functional.grid_sample(marked, grid[:, None], align_corners=False)[0, 0, 0]
        torch.testing.assert_close(fetched, marked.flatten(), rtol=0, atol=2e-3)


@pytest.mark.unit
def test_image_aligned_rows_run_down_and_columns_to_the_right():
    layout = make_layout("image_aligned", 8)
    rays = camera_rays(camera_to_world(*frontal_pose(1)), 8)
    picture = layout.coordinates(rays.origins + 5 * rays.directions)[0, :, 0].reshape(8, 8, 2)
    assert (picture[:, 1:, 0] > picture[:, :-1, 0]).all()
    assert (picture[1:, :, 1] > picture[:-1, :, 1]).all()


@pytest.mark.unit
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_stay_finite_for_rays_that_start_at_the_camera_and_miss(layout):
    config, decoder, planes, _, _ = random_case(layout=layout, batch=1)
    renderer = Renderer(config, 16)
    rays = Rays(torch.tensor([[[-5.0, 0, 0], [-5.0, 0, 0]]]), torch.tensor([[[0.0, 1, 0], [-1.0, 0, 0]]]))
    rendering, gradients = rendered_with_gradients(
        lambda p: renderer(renderer.table(p, decoder), decoder, rays, RaySampling()), planes, decoder
    )
    assert (rendering.opacity == 0).all()
    assert all(gradient.isfinite().all() for gradient in gradients)
