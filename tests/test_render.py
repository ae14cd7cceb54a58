"""The fast renderer against golden numbers and against the slow reference, values and gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.config import RendererConfig
from g3dr.render import PlaneDecoder, RaySampling, Renderer
from g3dr.render.compositing import composite
from g3dr.render.layouts import make_layout
from g3dr.render.lookup import look_up
from g3dr.render.reference import ReferenceRenderer, plane_features
from g3dr.render.table import plane_level
from g3dr.types import Rays

GOLDENS = Path(__file__).parent / "goldens"
LAYOUTS = ["published", "image_aligned", "perspective"]


def load(name):
    with np.load(GOLDENS / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) if arrays[key].dtype.kind == "f" else arrays[key] for key in arrays.files}


def assert_near(actual, expected, tolerance=2e-5):
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= tolerance * expected.abs().max()


def load_decoder(golden, features):
    decoder = PlaneDecoder(features, 64)
    decoder.load_state_dict({key.removeprefix("sd/"): golden[key] for key in golden if key.startswith("sd/")})
    return decoder


def assert_gradients(decoder, golden, tolerance):
    for name, parameter in decoder.named_parameters():
        assert_near(parameter.grad, golden[f"grad/{name}"], tolerance)


@pytest.mark.numeric
def test_decoder_matches_the_golden():
    golden = load("decoder")
    decoder = load_decoder(golden, 64)
    features = golden["features"][:, 0].requires_grad_()
    values = decoder(features)
    assert_near(values[..., :1], golden["sigma"])
    assert_near(values[..., 1:], golden["rgb"])
    ((values[..., :1] * golden["cot_sigma"]).sum() + (values[..., 1:] * golden["cot_rgb"]).sum()).backward()
    assert_near(features.grad, golden["grad_features"][:, 0])
    assert_gradients(decoder, golden, 2e-5)


@pytest.mark.numeric
def test_levels_match_the_golden():
    golden = load("triplane")
    assert_near(plane_level(golden["planes"], 2), golden["planes_half"])
    assert_near(plane_level(golden["planes"], 4), golden["planes_quarter"])


@pytest.mark.numeric
def test_triplane_lookup_of_table_and_reference_match_the_golden():
    golden = load("triplane")
    layout = make_layout("published", 32)
    assert_near(plane_features(golden["planes"], layout, golden["coords"]), golden["features"])
    decoder = PlaneDecoder(8, 8)
    with torch.no_grad():
        decoder.net[0].weight.copy_(torch.eye(8) * 8**0.5)
    planes = golden["planes"].requires_grad_()
    renderer = Renderer(RendererConfig(), 32)
    features = look_up(renderer.table(planes, decoder), layout.distinct_coordinates(golden["coords"]))
    assert_near(features.detach(), golden["features"])
    (features * golden["cot"]).sum().backward()
    assert_near(planes.grad, golden["grad_planes"])


@pytest.mark.numeric
@pytest.mark.parametrize("form", ["plain", "scaled", "whiteback"])
def test_compositing_matches_the_golden(form):
    golden = load("marcher")
    colors, densities = golden["colors"].requires_grad_(), golden["densities"].requires_grad_()
    distances, hit = golden["depths"][..., 0], torch.ones(2, 20, dtype=torch.bool)
    target = golden["target_depth"][..., 0, 0] if form == "scaled" else None
    rendering = composite(torch.cat([densities, colors], dim=-1), distances, hit, target, white_background=form == "whiteback")
    assert_near(rendering.rgb, golden[f"{form}_rgb"])
    assert_near(rendering.depth, golden[f"{form}_depth"][..., 0])
    assert_near(rendering.opacity, golden[f"{form}_weight_total"][..., 0])
    loss = (rendering.rgb * golden["cot_rgb"]).sum() + (rendering.depth * golden["cot_depth"][..., 0]).sum()
    (loss + (rendering.opacity * golden["cot_weight_total"][..., 0]).sum()).backward()
    assert_near(colors.grad, golden[f"{form}_grad_colors"])
    assert_near(densities.grad, golden[f"{form}_grad_densities"])


def golden_sampling(golden):
    jitter = golden["noise_coarse"][..., 0]
    batch, rays = jitter.shape[:2]
    window = golden["importance_depth"].reshape(batch, rays) if "importance_depth" in golden else None
    use_window = window is not None and float(golden["branch_random"]) > 0.6
    uniform = golden["u_fine"].reshape(batch, rays, -1) if "u_fine" in golden else None
    mask = torch.full((batch,), use_window)
    return RaySampling(jitter=jitter, fine_uniform=uniform, window_depth=window, window_mask=mask, regularization_depth=window)


def golden_renderer(golden):
    white = "white_back=True" in golden["opts"].tolist()
    config = RendererConfig(coarse_samples=int(golden["n_coarse"]), fine_samples=int(golden["n_fine"]), white_background=white)
    return Renderer(config, 32), load_decoder(golden, 8)


@pytest.mark.numeric
@pytest.mark.parametrize("name", ["frontal_weights", "novel_batch2", "importance_weights", "importance_window"])
def test_renderings_match_the_golden(name):
    golden = load(f"render_{name}")
    renderer, decoder = golden_renderer(golden)
    planes = golden["planes"].requires_grad_()
    rendering = renderer(
        renderer.table(planes, decoder), decoder, Rays(golden["ray_origins"], golden["ray_directions"]), golden_sampling(golden)
    )
    assert_near(rendering.rgb, golden["rgb"])
    assert_near(rendering.depth, golden["depth"][..., 0])
    assert_near(rendering.opacity, golden["weight_total"][..., 0])
    loss = (rendering.rgb * golden["cot_rgb"]).sum() + (rendering.depth * golden["cot_depth"][..., 0]).sum()
    (loss + (rendering.opacity * golden["cot_weight_total"][..., 0]).sum()).backward()
    assert_near(planes.grad, golden["grad_planes"], 5e-5)
    assert_gradients(decoder, golden, 5e-5)


@pytest.mark.numeric
def test_rays_that_hit_match_the_golden_and_others_are_empty():
    golden = load("render_wide_fov_misses")
    renderer, decoder = golden_renderer(golden)
    rays = Rays(golden["ray_origins"], golden["ray_directions"])
    with torch.no_grad():
        rendering = renderer(renderer.table(golden["planes"], decoder), decoder, rays, golden_sampling(golden))
    hit = golden["ray_far"][..., 0] > golden["ray_near"][..., 0]
    assert 0 < int(hit.sum()) < hit.numel()
    assert_near(rendering.rgb[hit], golden["rgb"][hit])
    assert_near(rendering.depth[hit], golden["depth"][..., 0][hit])
    assert (rendering.rgb[~hit] == -1).all()
    assert (rendering.depth[~hit] == 0).all()
    assert (rendering.opacity[~hit] == 0).all()


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


@pytest.mark.numeric
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("options", [{}, {"white_background": True, "coarse": 2}, {"fine": 0}, {"rays": 1, "batch": 3}])
def test_fast_equals_slow(layout, options):
    config, decoder, planes, rays, sampling = random_case(layout=layout, **options)
    fast = Renderer(config, 16)
    slow = ReferenceRenderer(config, make_layout(layout, 16), decoder)
    quick, quick_gradients = rendered_with_gradients(lambda p: fast(fast.table(p, decoder), decoder, rays, sampling), planes, decoder)
    plain, plain_gradients = rendered_with_gradients(lambda p: slow.render(p, rays, sampling), planes, decoder)
    assert_near(quick.rgb, plain.rgb)
    assert_near(quick.depth, plain.depth)
    assert_near(quick.opacity, plain.opacity)
    for one, other in zip(quick_gradients, plain_gradients, strict=True):
        assert_near(one, other, 5e-5)


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


@pytest.mark.unit
@pytest.mark.parametrize("grad", [True, False])
def test_parts_of_rays_give_the_same_as_all_at_once(monkeypatch, grad):
    config, decoder, planes, rays, sampling = random_case()
    renderer = Renderer(config, 16)

    def render(p):
        return renderer(renderer.table(p, decoder), decoder, rays, sampling)

    whole, gradients = rendered_with_gradients(render, planes, decoder)
    monkeypatch.setattr("g3dr.render.renderer.TRAINING_SAMPLES", 300)
    monkeypatch.setattr("g3dr.render.renderer.INFERENCE_SAMPLES", 300)
    if grad:
        parts, part_gradients = rendered_with_gradients(render, planes, decoder)
        for one, other in zip(gradients, part_gradients, strict=True):
            assert_near(one, other, 1e-5)
    else:
        with torch.no_grad():
            parts = render(planes)
    assert_near(parts.rgb, whole.rgb, 1e-6)
    assert_near(parts.depth, whole.depth, 1e-6)


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
