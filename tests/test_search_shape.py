"""Which settings decide the shape of a checkpoint, asked of the model itself."""

from dataclasses import fields, replace
from typing import Any

import pytest

from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.model import G3DR
from orchestrator.experiment.axis_checks import SHAPE

pytestmark = pytest.mark.unit

BASE = ModelConfig(
    GeneratorConfig(resolution=16, width=8, multipliers=(1, 2), position_channels=8, features=4, attention=False),
    RendererConfig(decoder_width=8, coarse_samples=2, fine_samples=2),
)
OTHER: dict[str, Any] = {
    "generator.resolution": 32,
    "generator.width": 16,
    "generator.multipliers": (1, 2, 2),
    "generator.position_channels": 16,
    "generator.position_init": "coordinates",
    "generator.features": 8,
    "generator.attention": True,
    "generator.depth_offset": 5.0,
    "generator.plane_gain": 8.0,
    "renderer.layout": "published",
    "renderer.decoder_width": 16,
    "renderer.coarse_samples": 4,
    "renderer.fine_samples": 4,
    "renderer.importance_window": 0.1,
    "renderer.white_background": True,
    "renderer.ray_range": (1.0, 2.0),
    "renderer.initial_density": -3.0,
}


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in G3DR.blank(config).state_dict().items()}


def changed(path: str) -> ModelConfig:
    section, _, name = path.partition(".")
    return replace(BASE, **{section: replace(getattr(BASE, section), **{name: OTHER[path]})})


def test_every_setting_of_generator_and_renderer_is_tried() -> None:
    assert set(OTHER) == {f"{section}.{member.name}" for section in ("generator", "renderer") for member in fields(getattr(BASE, section))}


@pytest.mark.parametrize("path", OTHER)
def test_axes_are_refused_where_another_value_does_not_fit_a_checkpoint(path: str) -> None:
    """The layout fits any checkpoint, but the planes of one layout mean nothing in another."""
    assert (shapes(changed(path)) != shapes(BASE) or path == "renderer.layout") is (f"model.{path}" in SHAPE)
