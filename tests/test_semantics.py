"""Planes that carry semantics: rendered like colour, compared with a frozen network, shown as part pictures."""

import json
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from safetensors import safe_open

from g3dr.backbones import Backbones
from g3dr.cameras import camera_rays, camera_to_world
from g3dr.config import ConditioningConfig, GeneratorConfig, LossTerm, ModelConfig, ObjectiveConfig, RendererConfig, TrainingConfig
from g3dr.errors import ConfigError
from g3dr.export.parts import part_pictures
from g3dr.losses import Objective
from g3dr.losses.rendered_semantics import SOFTENING, projection, semantic_distance, semantic_target
from g3dr.model import G3DR
from g3dr.render import PlaneDecoder, RaySampling, Renderer
from g3dr.render.layouts import make_layout
from g3dr.render.reference import ReferenceRenderer
from g3dr.training.trainer import Trainer
from g3dr.types import Batch, Frames, Rays
from g3dr.views import render_poses
from orchestrator.computing.gallery import Exhibit, pack_exhibits
from orchestrator.experiment.spec import parse_experiment

CHANNELS = 5
MODEL = ModelConfig(
    GeneratorConfig(resolution=16, width=8, multipliers=(1, 2), position_channels=4, features=8, attention=False),
    RendererConfig(layout="perspective", decoder_width=8, coarse_samples=6, fine_samples=6),
    ConditioningConfig(semantic_channels=CHANNELS),
)
OFF = {"clip": LossTerm("l1", 0.0), "perceptual": LossTerm("l2", 0.0)}


class ColorNetwork:
    """Its features are the colours and their products, at two resolutions."""

    name, sha256 = "color", "0" * 64

    def stage_features(self, images, deepest=None):
        products = torch.cat([images, images * images.roll(1, dims=1)], dim=1)
        return [products, torch.nn.functional.avg_pool2d(products, 4)]


def make_batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.nn.functional.interpolate(torch.rand(2, 3, 4, 4, generator=generator) * 2 - 1, 16, mode="bilinear")
    return Batch(images, torch.full((2, 1, 16, 16), 5.0), ["a", "b"], ["fish", "bird"])


def make_trainer(weight: float, model: ModelConfig = MODEL, **settings) -> Trainer:
    objective = ObjectiveConfig(**OFF, semantics=LossTerm("cosine", weight))
    config = TrainingConfig(
        **{"steps": 30, "batch_size": 2, "rays_per_image": 64, "learning_rate": 1e-2, "decoder_rate": 4.0, "warm_up": 0.1, **settings}
    )
    return Trainer(G3DR(model), Objective(objective, Backbones(semantics=ColorNetwork())), config, seed=1)


def random_decoder(semantics: int, generator: torch.Generator) -> PlaneDecoder:
    decoder = PlaneDecoder(6, 8, semantics)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return decoder


def random_scene(layout: str, options: dict) -> tuple[RendererConfig, PlaneDecoder, torch.Tensor, Rays, RaySampling]:
    generator = torch.Generator().manual_seed(0)
    config = RendererConfig(layout=layout, decoder_width=8, **{"coarse_samples": 7, "fine_samples": 5, **options})
    everything = camera_rays(camera_to_world(torch.tensor([1.4, 1.8]), torch.tensor([1.5, 1.7])), 16, 26.0)
    chosen = torch.randperm(256, generator=generator)[:40]
    rays = Rays(everything.origins[:, chosen], everything.directions[:, chosen])
    sampling = RaySampling(
        jitter=torch.rand(2, 40, 7, generator=generator),
        fine_uniform=torch.rand(2, 40, 5, generator=generator),
        regularization_depth=4.2 + torch.rand(2, 40, generator=generator),
    )
    return config, random_decoder(CHANNELS, generator), torch.randn(2, 3, 6, 16, 16, generator=generator), rays, sampling


def semantics_with_gradients(render, planes, decoder):
    planes = planes.clone().requires_grad_()
    decoder.zero_grad()
    rendering = render(planes)
    weight = torch.linspace(0.5, 1.5, rendering.semantics.numel()).reshape_as(rendering.semantics)
    ((rendering.semantics * weight).sum() + (rendering.rgb * weight[..., :3]).sum() + rendering.depth.sum()).backward()
    return rendering.semantics, [planes.grad, *(parameter.grad.clone() for parameter in decoder.parameters())]


@pytest.mark.numeric
@pytest.mark.parametrize("layout", ["published", "perspective"])
@pytest.mark.parametrize("options", [{}, {"white_background": True, "fine_samples": 0}])
def test_fast_semantics_equal_slow_ones(layout, options):
    config, decoder, planes, rays, sampling = random_scene(layout, options)
    fast, slow = Renderer(config, 16), ReferenceRenderer(config, make_layout(layout, 16), decoder)
    quick, quick_gradients = semantics_with_gradients(lambda p: fast(fast.table(p, decoder), decoder, rays, sampling), planes, decoder)
    plain, plain_gradients = semantics_with_gradients(lambda p: slow.render(p, rays, sampling), planes, decoder)
    assert quick.shape == (2, 40, CHANNELS)
    assert (quick - plain).abs().max() <= 2e-5 * plain.abs().max()
    for one, other in zip(quick_gradients, plain_gradients, strict=True):
        assert (one - other).abs().max() <= 5e-5 * other.abs().max()


@pytest.mark.unit
def test_semantics_leave_colour_depth_and_opacity_alone_and_start_at_zero():
    plain, model = G3DR(replace(MODEL, conditioning=ConditioningConfig())).eval(), G3DR(MODEL).eval()
    batch, rays = make_batch(), camera_rays(camera_to_world(torch.tensor([1.6, 1.4]), torch.tensor([1.6, 1.5])), 16)
    with torch.no_grad():
        without = plain.render(plain.encode(batch.images, batch.depths), rays)
        beside = model.render(model.encode(batch.images, batch.depths), rays)
    assert without.semantics is None
    assert not beside.semantics.any()
    for name in ("rgb", "depth", "opacity"):
        torch.testing.assert_close(getattr(beside, name), getattr(without, name), rtol=1e-6, atol=1e-6)


@pytest.mark.unit
@pytest.mark.parametrize("grad", [True, False])
def test_parts_of_rays_give_the_same_semantics_as_all_at_once(monkeypatch, grad):
    config, decoder, planes, rays, sampling = random_scene("perspective", {})
    renderer = Renderer(config, 16)
    with torch.set_grad_enabled(grad):
        table = renderer.table(planes, decoder)
        whole = renderer(table, decoder, rays, sampling).semantics
        monkeypatch.setattr(renderer, "_rays_at_once", lambda *_: (7, grad))
        parts = renderer(table, decoder, rays, sampling).semantics
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.unit
def test_several_views_of_an_object_keep_their_semantics_apart():
    model = G3DR(MODEL).eval()
    with torch.no_grad():
        model.decoder.semantics.weight.normal_(generator=torch.Generator().manual_seed(0))
    batch = make_batch()
    with torch.inference_mode():
        table = model.encode(batch.images[:1], batch.depths[:1])
    both = render_poses(model, table, torch.tensor([1.4, 1.7]), torch.tensor([1.5, 1.6]), 16)
    second = render_poses(model, table, torch.tensor([1.7]), torch.tensor([1.6]), 16)
    assert both.semantics.shape == (2, CHANNELS, 16, 16)
    torch.testing.assert_close(both.semantics[1:], second.semantics, rtol=1e-5, atol=1e-6)


@pytest.mark.unit
def test_points_of_a_mesh_have_colours_and_no_semantics():
    model = G3DR(MODEL)
    batch = make_batch()
    with torch.no_grad():
        values = model.values_at(model.encode(batch.images, batch.depths), torch.zeros(2, 3, 3))
    assert values.shape == (2, 3, 4)


@pytest.mark.unit
def test_the_target_is_a_direction_at_every_pixel_that_the_projection_roughly_keeps():
    assert torch.allclose(projection(40, 8) @ projection(40, 8).T, torch.eye(8), atol=1e-5)
    batch = make_batch()
    target = semantic_target(ColorNetwork(), batch.images, 12)
    assert target.shape == (2, 12, 16, 16)
    assert torch.allclose(target.norm(dim=1), torch.ones(()), atol=1e-5)
    # As many channels as features: a rotation, which keeps every angle between pixels.
    features = torch.cat([torch.nn.functional.interpolate(s, 16, mode="bilinear") for s in ColorNetwork().stage_features(batch.images)], 1)
    found, wanted = (torch.nn.functional.cosine_similarity(array[0, :, :8], array[0, :, 8:], dim=0) for array in (target, features))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)


@pytest.mark.unit
def test_more_channels_than_features_are_refused():
    with pytest.raises(ConfigError, match="at most 12"):
        semantic_target(ColorNetwork(), make_batch().images, 13)


@pytest.mark.unit
@pytest.mark.parametrize("form", ["l1", "l2", "smooth_l1", "cosine"])
def test_equal_semantics_have_no_distance_and_zeros_a_finite_gradient(form):
    target = torch.nn.functional.normalize(torch.randn(2, 6, CHANNELS, generator=torch.Generator().manual_seed(0)), dim=-1)
    assert float(semantic_distance(form, target, target)) < 0.5 * SOFTENING**2 + 1e-6
    prediction = torch.zeros_like(target, requires_grad=True)
    distance = semantic_distance(form, prediction, target)
    distance.backward()
    assert float(distance.detach()) > 0.05
    assert 0 < float(prediction.grad.norm(dim=-1).max()) <= 1 / SOFTENING


@pytest.mark.unit
def test_training_brings_rendered_semantics_to_the_target():
    trainer, batch = make_trainer(1.0, novel_probability=0.0), make_batch()
    terms = [float(trainer.run_step(batch)["semantics(color)"]) for _ in range(30)]
    assert terms[0] == pytest.approx(1.0)
    assert terms[-1] < 0.8


@pytest.mark.unit
def test_novel_views_are_compared_by_their_mean():
    trainer = make_trainer(1.0, novel_probability=1.0)
    seen = [trainer.run_step(make_batch(step)) for step in range(12)]
    novel = [float(terms["novel_semantics(color)"]) for terms in seen if "novel_tv" in terms]
    assert len(novel) > 2
    assert novel[-1] < novel[0]


@pytest.mark.unit
def test_a_weight_needs_channels_and_channels_without_a_weight_are_not_trained():
    with pytest.raises(ConfigError, match=r"objective\.semantics\.weight.*semantic_channels"):
        make_trainer(1.0, replace(MODEL, conditioning=ConditioningConfig()))
    with pytest.raises(ConfigError, match=r"objective\.semantics\.weight"):
        Objective(ObjectiveConfig(**OFF, semantics=LossTerm("cosine", 1.0)))
    trainer = make_trainer(0.0)
    terms = trainer.run_step(make_batch())
    assert not [name for name in terms if "semantics" in name]
    trainer.restore(trainer.checkpoint(), "there")
    assert not trainer.model.decoder.semantics.weight.any()


def striped(lengths: float) -> torch.Tensor:
    """Semantics of three kinds in three stripes."""
    kinds = torch.eye(CHANNELS)[:3].repeat_interleave(4, dim=0).T
    return (kinds * torch.linspace(1, lengths, 12))[:, :, None].expand(-1, -1, 6)


@pytest.mark.unit
def test_parts_of_one_kind_have_one_colour_whatever_their_length():
    (first, second), (again, _) = part_pictures([striped(1.0), striped(9.0)]), part_pictures([striped(1.0), striped(9.0)])
    assert first.shape == (12, 6, 3)
    assert torch.equal(first, second)
    assert torch.equal(first, again)
    assert len({tuple(color) for color in first.reshape(-1, 3).tolist()}) == 3


@pytest.mark.unit
def test_fewer_than_three_channels_and_empty_semantics_still_give_pictures():
    (two,) = part_pictures([torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(0))])
    assert (two[..., 2] == 128).all()
    (nothing,) = part_pictures([torch.zeros(4, 8, 8)])
    assert nothing.shape == (8, 8, 3)


def exhibit(semantics: bool) -> Exhibit:
    batch = make_batch()
    channels = torch.randn(2, CHANNELS, 16, 16, generator=torch.Generator().manual_seed(0)) if semantics else None
    frames = Frames(batch.images, batch.depths, torch.ones(2, 1, 16, 16), channels)
    return Exhibit.of(batch, frames, frames, None, None)


@pytest.mark.unit
@pytest.mark.parametrize("semantics", [True, False])
def test_an_evaluation_keeps_part_pictures_where_there_are_semantics(tmp_path, semantics):
    file = tmp_path / "pictures.safetensors"
    file.write_bytes(pack_exhibits([exhibit(semantics), exhibit(semantics)]))
    with safe_open(file, "pt") as stored:
        names = set(stored.keys())
        assert json.loads(stored.metadata()["keys"]) == ["a", "a"]
        parts = {"parts", "novel_parts"}
        assert names & parts == (parts if semantics else set())
        assert not [name for name in names if "semantics" in name]
        if semantics:
            assert stored.get_tensor("parts").shape == (2, 16, 16, 3)
            assert stored.get_tensor("parts").dtype == torch.uint8


@pytest.mark.unit
def test_an_experiment_that_weighs_semantics_which_the_model_lacks_is_refused_before_it_runs():
    document = {
        "name": "semantics",
        "data": {"animals": {"procedural": {}}},
        "objective": {"semantics": {"weight": 0.5}},
        "stages": [{"name": "base", "kind": "train", "data": "animals"}],
    }
    with pytest.raises(ValidationError, match=r"objective\.semantics\.weight"):
        parse_experiment(document)
    stage = document["stages"][0] | {"model": {"conditioning": {"semantic_channels": 4}}}
    assert parse_experiment(document | {"stages": [stage]}).stages[0].name == "base"
