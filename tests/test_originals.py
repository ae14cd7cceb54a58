"""Faults of the authors' code that nothing else tests from both sides (docs/decisions/0005-faults-of-the-originals.md)."""

import pytest
import torch
from goldens_recipe import Golden

from g3dr.cameras import camera_rays, camera_to_world
from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.model import G3DR
from g3dr.render import RaySampling
from g3dr.training.checkpoint import load_model
from g3dr.unet import blocks, convolutions

pytestmark = pytest.mark.numeric


def rendered(layout, planes):
    renderer = RendererConfig(layout=layout, decoder_width=8, coarse_samples=8, fine_samples=8)
    model = G3DR(ModelConfig(GeneratorConfig(resolution=16, width=8, multipliers=(1, 2), position_channels=4, features=4), renderer))
    rays = camera_rays(camera_to_world(torch.tensor([1.9]), torch.tensor([1.4])), 8)
    with torch.no_grad():
        return model.renderer(model.renderer.table(planes, model.decoder), model.decoder, rays, RaySampling()).rgb


@pytest.mark.parametrize(("layout", "same"), [("published", True), ("image_aligned", False), ("perspective", False)])
def test_the_third_published_plane_is_the_second_transposed(layout, same):
    planes = torch.randn(1, 3, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    exchanged = torch.stack([planes[:, 0], planes[:, 2].mT, planes[:, 1].mT], dim=1)
    assert torch.allclose(rendered(layout, planes), rendered(layout, exchanged), atol=1e-5) == same


def half_precision_error():
    """Relative error of the planes of a new model with the golden's weights, under autocast."""
    golden = Golden("unet_small")
    model = G3DR(ModelConfig(GeneratorConfig(resolution=16, width=8, features=8), RendererConfig()))
    load_model(model, {name[3:]: golden.tensor(name) for name in list(golden.untouched) if name.startswith("sd/")}, "golden")
    rgbd, expected = golden.tensor("input_rgbd"), golden.tensor("planes")
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        planes = model.planes(rgbd[:, :3], rgbd[:, 3:])
    return float((planes - expected).norm() / expected.norm())


def test_a_larger_epsilon_is_what_half_precision_costs(monkeypatch):
    ours = half_precision_error()
    for module in (blocks, convolutions):
        monkeypatch.setattr(module, "NORM_EPSILON", 1e-3)
    assert ours < 0.02
    assert half_precision_error() > 2 * ours
