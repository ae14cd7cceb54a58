"""What keeps views from elsewhere free of fog and bands: the spread of a ray, colours along rays; for every layout, fast against slow."""

from dataclasses import replace

import pytest
import torch

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.config import LossTerm, ModelConfig, ObjectiveConfig, RendererConfig, TrainingConfig
from g3dr.errors import ConfigError, DataError
from g3dr.losses import Objective, Progress
from g3dr.losses.pixels import ray_rgb
from g3dr.model import G3DR
from g3dr.render import PlaneDecoder, RaySampling, Renderer
from g3dr.render.compositing import composite
from g3dr.render.layouts import make_layout
from g3dr.render.limits import points_in_box
from g3dr.render.reference import ReferenceRenderer, plane_features
from g3dr.training.chance import StepChance
from g3dr.training.step import TrainingStep
from g3dr.types import Batch, Rendering

LAYOUTS = ["published", "image_aligned", "perspective"]
RESOLUTION = 16


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_case(layout):
    config = RendererConfig(layout=layout, decoder_width=8, coarse_samples=7, fine_samples=5)
    decoder = PlaneDecoder(6, 8)
    with torch.no_grad():
        for number, parameter in enumerate(decoder.parameters()):
            parameter.copy_(noise(*parameter.shape, seed=number))
    rays = camera_rays(camera_to_world(torch.tensor([1.3, 1.8]), torch.tensor([1.5, 1.65])), 6, 24.0)
    return config, decoder, noise(2, 3, 6, RESOLUTION, RESOLUTION, seed=9), rays


def assert_near(actual, expected, tolerance=2e-5):
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= tolerance * expected.abs().max()


def gradients_of(value, planes, decoder):
    weights = torch.linspace(0.5, 1.5, value.numel()).reshape_as(value)
    return torch.autograd.grad((value * weights).sum(), [planes, *decoder.parameters()], allow_unused=True)


@pytest.mark.numeric
@pytest.mark.parametrize("layout", LAYOUTS)
def test_spread_of_the_fast_renderer_equals_that_of_the_slow_one(layout):
    config, decoder, planes, rays = make_case(layout)
    planes.requires_grad_()
    fast = Renderer(config, RESOLUTION)
    quick = fast(fast.table(planes, decoder), decoder, rays, RaySampling()).spread
    plain = ReferenceRenderer(config, make_layout(layout, RESOLUTION), decoder).render(planes, rays, RaySampling()).spread
    assert_near(quick, plain, 1e-4)
    for one, other in zip(gradients_of(quick, planes, decoder), gradients_of(plain, planes, decoder), strict=True):
        assert_near(one, other, 2e-4)


@pytest.mark.numeric
@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_at_points_equal_those_of_the_slow_lookup(layout):
    config, decoder, planes, rays = make_case(layout)
    planes.requires_grad_()
    points = points_in_box(rays, torch.rand(2, rays.origins.shape[1], 3, generator=torch.Generator().manual_seed(1))).flatten(1, 2)
    fast = Renderer(config, RESOLUTION)
    quick = fast.values_at(fast.table(planes, decoder), decoder, points)
    plain = decoder(plane_features(planes, make_layout(layout, RESOLUTION), points))
    assert_near(quick, plain)
    for one, other in zip(gradients_of(quick, planes, decoder), gradients_of(plain, planes, decoder), strict=True):
        assert_near(one, other, 5e-5)


@pytest.mark.unit
def test_points_reach_from_the_entry_into_the_box_to_the_exit():
    rays = camera_rays(camera_to_world(*frontal_pose(1)), 8)
    ends = points_in_box(rays, torch.tensor([0.0, 1.0]).expand(1, 64, 2))
    torch.testing.assert_close(ends.abs().amax(dim=-1), torch.ones(1, 64, 2))
    assert (ends[..., 0, 0] < ends[..., 1, 0]).all()


def composited(layers):
    """One ray through opaque or thin layers at given samples, 0.1 apart, from distance 4."""
    distances = 4 + 0.1 * torch.arange(20.0)[None, None]
    values = torch.full((1, 1, 20, 4), 0.5)
    values[..., 0] = -60.0
    for sample, density in layers.items():
        values[..., sample, 0] = density
    return composite(values, distances, torch.ones(1, 1, dtype=torch.bool))


@pytest.mark.unit
def test_spread_is_nothing_at_a_surface_and_grows_with_the_distance_of_layers():
    # The middles of intervals see the mean of two samples: 2000 over 60 is opaque within one interval.
    surface = float(composited({5: 2000.0, 6: 2000.0}).spread)
    # Two samples of 75 beside -60: 7.5 is the mean, softplus(6.5) * 0.1 thick on both sides of the first layer.
    near, far = (composited({5: 75.0, back: 2000.0}) for back in (8, 14))
    assert surface < 1e-4
    assert 0.3 < float(far.opacity) <= 1
    assert float(far.spread) > 4 * float(near.spread) > 16 * surface


@pytest.mark.unit
def test_spread_of_two_layers_is_that_of_their_shares():
    rendering = composited({5: 75.0, 14: 2000.0})
    positions, weights = [4.45, 4.55, 5.35], [0.4781, 0.2495, 0.2724]
    mean = sum(w * t for w, t in zip(weights, positions, strict=True))
    variance = sum(w * (t - mean) ** 2 for w, t in zip(weights, positions, strict=True))
    assert float(rendering.spread) == pytest.approx(variance, rel=0.01)


@pytest.mark.unit
def test_colours_along_rays_are_compared_with_the_ray_s_pixel():
    target = noise(2, 5, 3)
    colors = target[:, :, None].expand(-1, -1, 4, -1)
    assert float(ray_rgb(colors, target)) == 0
    assert float(ray_rgb(colors + 0.25, target)) == pytest.approx(0.25)
    assert float(ray_rgb(colors + 0.5, target, "l2")) == pytest.approx(0.25)


MODEL = ModelConfig()
MODEL = replace(
    MODEL,
    generator=replace(
        MODEL.generator, resolution=16, width=8, multipliers=(1, 2), position_channels=4, features=8, attention=False, plane_gain=8.0
    ),
    renderer=RendererConfig(layout="perspective", decoder_width=8, coarse_samples=8, fine_samples=8),
)
PLAIN = ObjectiveConfig(clip=LossTerm("l1", 0.0), perceptual=LossTerm("l2", 0.0), pooled_rgb=LossTerm("l1", 1.0))
BOTH = replace(PLAIN, ray_rgb=LossTerm("l1", 0.3), spread=1.0)


def step_terms(model, objective, *, novel):
    settings = TrainingConfig(
        steps=10,
        batch_size=2,
        rays_per_image=40,
        novel_probability=float(novel),
        depth_importance=0.0,
        depth_regularization=False,
    )
    batch = Batch(noise(2, 3, 16, 16).tanh(), 5 + 0.5 * noise(2, 1, 16, 16, seed=1).tanh(), ["a", "b"], ["thing"] * 2)
    return TrainingStep(model, Objective(objective), settings)(batch, StepChance(0, 9, range(2)), 9)


@pytest.mark.unit
@pytest.mark.parametrize("novel", [False, True])
def test_terms_without_weight_are_absent_and_change_no_other(novel):
    model = G3DR(MODEL)
    without, both = (step_terms(model, objective, novel=novel) for objective in (PLAIN, BOTH))
    added = {"novel_spread"} if novel else {"ray_rgb", "spread"}
    assert both.keys() - without.keys() == added
    for name in without.keys() - {"loss"}:
        assert torch.equal(without[name], both[name]), name
    extra = sum(
        weight * float(both[name].detach()) for name, weight in (("ray_rgb", 0.3), ("spread", 1.0), ("novel_spread", 1.0)) if name in both
    )
    assert float((both["loss"] - without["loss"]).detach()) == pytest.approx(extra, rel=1e-4)


@pytest.mark.unit
def test_fog_draws_together_where_its_depth_is_known():
    distances, hit = torch.linspace(4, 6, 20)[None, None], torch.ones(1, 1, dtype=torch.bool)
    densities = torch.full((1, 1, 20), 1.0, requires_grad=True)
    optimizer = torch.optim.Adam([densities], lr=0.3)
    history = []
    for _ in range(80):
        rendering = composite(torch.cat([densities[..., None], torch.zeros(1, 1, 20, 3)], dim=-1), distances, hit)
        history.append(rendering)
        optimizer.zero_grad()
        (rendering.spread + (rendering.depth - 4.8).abs() + 0.1 * (1 - rendering.opacity)).sum().backward()
        optimizer.step()
    assert float(history[0].spread.detach()) > 0.1
    assert float(history[-1].spread.detach()) < 0.25 * float(history[0].spread.detach())
    assert float(history[-1].depth.detach()) == pytest.approx(4.8, abs=0.1)


@pytest.mark.unit
def test_colours_along_rays_need_their_points():
    rendering = Rendering(noise(1, 4, 3), noise(1, 4) + 5, torch.ones(1, 4), spread=torch.ones(1, 4))
    with pytest.raises(DataError, match="ray_rgb needs colours at points"):
        Objective(BOTH).canonical(rendering, noise(1, 4, 3), noise(1, 4) + 5, Progress(0, 10))


@pytest.mark.unit
def test_a_negative_weight_of_the_spread_is_refused():
    with pytest.raises(ConfigError, match=r"objective\.spread"):
        ObjectiveConfig(spread=-1.0)
