"""The model end to end, at the size of a toy."""

import dataclasses

import pytest
import torch

from g3dr.cameras import camera_rays, camera_to_world, frontal_pose
from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.model import G3DR
from g3dr.render import NodeTable, RaySampling
from g3dr.types import Rays

pytestmark = pytest.mark.unit
GENERATOR = GeneratorConfig(
    resolution=16, width=8, multipliers=(1, 2), position_channels=8, position_init="coordinates", features=4, attention=False
)
CONFIG = ModelConfig(GENERATOR, RendererConfig(layout="perspective", decoder_width=8, coarse_samples=8, fine_samples=8))


def example(batch=2):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch, 3, 16, 16, generator=generator) * 2 - 1
    return images, torch.rand(batch, 1, 16, 16, generator=generator) + 4.5


def frontal_rays(batch=2):
    return camera_rays(camera_to_world(*frontal_pose(batch)), 16)


def test_a_view_has_the_shape_and_range_of_a_picture():
    model = G3DR(CONFIG)
    with torch.no_grad():
        frames = model.render(model.encode(*example()), frontal_rays()).frames(16, 16)
    assert frames.rgb.shape == (2, 3, 16, 16)
    assert frames.rgb.abs().max() <= 1.01
    assert ((frames.opacity >= 0) & (frames.opacity <= 1.0001)).all()


def test_every_parameter_learns():
    model = G3DR(CONFIG)
    rendering = model.render(model.encode(*example()), frontal_rays())
    (rendering.rgb.square().mean() + rendering.depth.mean()).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()] == []


def test_a_few_steps_fit_one_image():
    model = G3DR(CONFIG)
    images, depths = example(1)
    images = torch.nn.functional.avg_pool2d(images, 5, stride=1, padding=2)
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=5e-3), []
    for _ in range(25):
        frames = model.render(model.encode(images, depths), frontal_rays(1)).frames(16, 16)
        loss = (frames.rgb - images).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_initialization_depends_on_the_seed_alone():
    torch.manual_seed(1)
    first = G3DR(CONFIG).state_dict()
    torch.manual_seed(2)
    model = G3DR(CONFIG)
    assert all(torch.equal(first[name], value) for name, value in model.state_dict().items())
    model.initialize(7)
    assert not torch.equal(first["final_conv.weight"], model.state_dict()["final_conv.weight"])
    again = G3DR(CONFIG)
    again.initialize(torch.Generator().manual_seed(7))
    assert torch.equal(again.state_dict()["final_conv.weight"], model.state_dict()["final_conv.weight"])


def test_the_encoder_is_everything_before_the_first_up_level():
    model = G3DR(CONFIG)
    encoder = set(model.encoder_parameters())
    rest = {name.split(".")[0] for name, _ in model.named_parameters() if name not in encoder}
    assert rest == {"ups", "final_res_block", "final_conv", "decoder"}


def test_state_holds_parameters_only():
    model = G3DR(CONFIG)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_encode_and_render_give_float32_under_autocast():
    model = G3DR(CONFIG)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        table = model.encode(*example())
        rendering = model.render(table, frontal_rays())
    assert table.rows.dtype == rendering.rgb.dtype == torch.float32


def test_a_wrong_shape_is_refused():
    model = G3DR(CONFIG)
    with pytest.raises(Exception, match=r"images|depths"):
        model.encode(torch.zeros(1, 4, 16, 16), torch.zeros(1, 1, 16, 16))


def test_a_table_can_be_split_by_image():
    model = G3DR(CONFIG)
    with torch.no_grad():
        table = model.encode(*example())
        both = model.render(table, frontal_rays())
        second = model.render(table.of_image(1), frontal_rays(1))
    assert isinstance(table, NodeTable)
    torch.testing.assert_close(both.rgb[1:], second.rgb)


@pytest.mark.parametrize("layout", ["published", "image_aligned", "perspective"])
@pytest.mark.parametrize("rays", [1, 5])
def test_few_rays_and_no_fine_samples(layout, rays):
    renderer = dataclasses.replace(CONFIG.renderer, layout=layout, fine_samples=0)
    model = G3DR(dataclasses.replace(CONFIG, renderer=renderer))
    everything = frontal_rays()
    few = Rays(everything.origins[:, 100 : 100 + rays], everything.directions[:, 100 : 100 + rays])
    rendering = model.render(model.encode(*example()), few, RaySampling(jitter=torch.full((2, rays, 8), 0.5)))
    assert rendering.rgb.shape == (2, rays, 3)
    rendering.rgb.sum().backward()
    assert model.final_conv.weight.grad.abs().sum() > 0


def test_a_blank_model_equals_a_new_one_once_it_is_loaded():
    config = CONFIG
    made = G3DR(config)
    blank = G3DR.blank(config)
    blank.load_state_dict(made.state_dict())
    assert dict(blank.named_buffers()).keys() == dict(made.named_buffers()).keys()
    for name, buffer in made.named_buffers():
        assert torch.equal(buffer, dict(blank.named_buffers())[name]), name
    image, depth = torch.zeros(1, 3, 16, 16), torch.full((1, 1, 16, 16), 5.0)
    assert torch.equal(blank.planes(image, depth), made.planes(image, depth))


def test_a_blank_model_draws_no_weights(monkeypatch):
    drawn = []
    monkeypatch.setattr(G3DR, "initialize", lambda self, seed: drawn.append(seed))
    G3DR.blank(CONFIG)
    assert drawn == []
