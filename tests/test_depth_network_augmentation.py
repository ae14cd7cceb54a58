"""Training pictures in disguise: depth goes with the picture, and all chance is that of (seed, step, position)."""

import numpy as np
import pytest
import torch

from g3dr.depth.augmentation import augment
from g3dr.depth.augmentation.camera import compressed, photographed
from g3dr.depth.augmentation.crops import cropped
from g3dr.depth.augmentation.dice import Dice
from g3dr.depth.augmentation.filters import blurred
from g3dr.depth.augmentation.layers import Layer, over
from g3dr.depth.augmentation.textures import evenly_painted, patterns
from g3dr.depth.augmentation.things import cut_out, foothold, moved, near_things, repainted
from g3dr.depth.config import DepthNetworkConfig
from g3dr.depth.disparity import INFINITELY_FAR, disparity_of
from g3dr.procedural.camera import look_from
from g3dr.procedural.individuals import make_individual
from g3dr.procedural.rendering import render
from g3dr.procedural.species import make_species
from g3dr.training.chance import StepChance

pytestmark = pytest.mark.unit

SIDE = 64


@pytest.fixture(scope="module")
def drawn():
    """Pictures, disparities and true silhouettes of an elephant, a fish, a bird and a serpent."""
    seen = [render(make_individual(make_species(number), 0), look_from(), SIDE, supersampling=1) for number in (0, 1, 3, 5)]
    images = torch.from_numpy(np.stack([one.rgb for one in seen])).permute(0, 3, 1, 2).float() * 2 - 1
    depths = torch.from_numpy(np.stack([one.depth for one in seen])).float().unsqueeze(1)
    return images, disparity_of(depths), torch.from_numpy(np.stack([one.foreground for one in seen])).unsqueeze(1)


def dice(step: int = 0, count: int = 4, seed: int = 3) -> Dice:
    return Dice(StepChance(seed, step, range(count)))


def test_the_cut_out_of_an_animal_is_its_silhouette(drawn):
    _, disparity, silhouettes = drawn
    found = near_things(disparity)
    assert (found & ~silhouettes).sum() == 0
    # What is missing is where the animal touches the ground.
    for mask, silhouette in zip(found, silhouettes, strict=True):
        assert mask.sum() > 0.95 * silhouette.sum()


def test_disguises_are_a_function_of_seed_step_and_position(drawn):
    images, disparity, _ = drawn
    config = DepthNetworkConfig()
    whole = augment(images, disparity, StepChance(1, 5, range(4)), config)
    for rows in (slice(0, 1), slice(1, 4)):
        part = augment(images[rows], disparity[rows], StepChance(1, 5, range(4)[rows]), config)
        assert all(torch.allclose(one, other[rows], atol=1e-5) for one, other in zip(part, whole, strict=True))
    for other in (StepChance(2, 5, range(4)), StepChance(1, 6, range(4)), StepChance(1, 5, range(4, 8))):
        assert not torch.allclose(augment(images, disparity, other, config)[0], whole[0], atol=0.1)


def test_disguised_pictures_are_pictures(drawn):
    images, disparity, _ = drawn
    for step in range(6):
        pictures, moved_too = augment(images, disparity, StepChance(7, step, range(4)), DepthNetworkConfig())
        assert pictures.shape == images.shape
        assert moved_too.shape == disparity.shape
        assert torch.isfinite(pictures).all()
        assert pictures.abs().max() <= 1
        assert torch.isfinite(moved_too).all()
        assert moved_too.min() >= INFINITELY_FAR - 1e-3
        assert moved_too.max() < 6
        assert moved_too.flatten(start_dim=1).std(dim=1).min() > 1e-3


def test_without_any_disguise_nothing_changes(drawn):
    images, disparity, _ = drawn
    config = DepthNetworkConfig(scenes=0.0, least_crop=1.0, roll=0.0, camera=0.0)
    stretch_only = augment(images, disparity, StepChance(0, 0, range(4)), config)
    assert (stretch_only[1] - disparity).abs().mean() < 0.05
    assert torch.equal(photographed(images, disparity, dice(), 0.0), images)


def test_depth_goes_with_the_picture_through_crops(drawn):
    _, disparity, _ = drawn
    # A picture that shows its own disparity must still do so afterwards, but for soft edges.
    whole = Layer(disparity.expand(-1, 3, -1, -1).contiguous(), disparity, disparity > 0.3)
    part = cropped(whole, dice(2), least=0.5, roll=10.0)
    assert not torch.allclose(part.disparity, disparity)
    assert ((part.colors[:, :1] - part.disparity).abs() < 0.05).float().mean() > 0.9
    assert torch.equal(part.mask, part.disparity > 0.3)


def test_depth_goes_with_the_things_that_are_moved(drawn):
    images, disparity, _ = drawn
    thing = cut_out(disparity.expand(-1, 3, -1, -1).contiguous(), disparity)
    away = moved(thing, dice(4))
    for number in range(len(images)):
        here = away.mask[number, 0]
        nearness = away.disparity[number, 0][here] - INFINITELY_FAR
        shown = away.colors[number, 0][here] - INFINITELY_FAR
        factor = (nearness / shown).median()
        assert 0.49 < factor < 2.21
        assert ((nearness - factor * shown).abs() < 0.2).float().mean() > 0.9


def test_things_stand_on_the_ground_that_is_made_for_them(drawn):
    images, disparity, _ = drawn
    thing = cut_out((images + 1) / 2, disparity)
    foot = foothold(thing)
    lowest = [int(mask[0].any(dim=1).nonzero().max()) for mask in thing.mask]
    assert foot.row.flatten().tolist() == pytest.approx([(2 * row + 1) / SIDE - 1 for row in lowest])
    nothing = Layer(thing.colors, thing.disparity, torch.zeros_like(thing.mask))
    assert torch.isfinite(foothold(nothing).disparity).all()


def test_the_nearer_layer_is_seen():
    colors = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    everywhere = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    back = Layer(colors[:1], torch.full((1, 1, 8, 8), 0.5), everywhere)
    half = everywhere.clone()
    half[..., 4:] = False
    near, far = (Layer(colors[1:], torch.full((1, 1, 8, 8), value), half) for value in (0.7, 0.2))
    seen = over(near, back)
    assert (seen.disparity[..., :4] == 0.7).all()
    assert (seen.disparity[..., 4:] == 0.5).all()
    assert (seen.colors[..., :3] == 1).all()
    assert (seen.colors[..., 5:] == 0).all()
    assert torch.equal(over(far, back).disparity, back.disparity)


def test_repainted_things_keep_light_and_shade_and_depth(drawn):
    images, disparity, _ = drawn
    thing = cut_out((images + 1) / 2, disparity)
    other = repainted(thing, dice(1), share=1.0)
    assert torch.equal(other.disparity, thing.disparity)
    assert torch.equal(other.mask, thing.mask)
    assert (other.colors - thing.colors).abs().mean() > 0.02
    assert torch.equal(repainted(thing, dice(1), share=0.0).colors, thing.colors)


def test_textures_are_colours_and_differ_between_pictures():
    pattern, paint = patterns(dice(), 3, 32), evenly_painted(dice(1), 32)
    assert pattern.shape == (4, 3, 32, 32)
    assert paint.shape == (4, 3, 32, 32)
    assert 0 <= pattern.min() < pattern.max() <= 1
    assert 0 <= paint.min() < paint.max() <= 1
    assert not torch.allclose(paint[0], paint[1], atol=0.1)


def test_compression_loses_fine_things_first():
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    fine = compressed(pictures, torch.full((2, 1, 1, 1), 1e-6))
    assert torch.allclose(fine, pictures, atol=1e-4)
    coarse = compressed(pictures, torch.full((2, 1, 1, 1), 0.3))
    assert 0.05 < (coarse - pictures).abs().mean() < 0.5
    even = torch.full((1, 3, 16, 16), 0.4)
    assert torch.allclose(compressed(even, torch.full((1, 1, 1, 1), 0.01)), even, atol=0.01)


def test_blur_has_the_strength_of_each_picture():
    pictures = torch.zeros(2, 1, 33, 33)
    pictures[:, :, 16, 16] = 1
    soft = blurred(pictures, torch.tensor([0.01, 2.0]).view(2, 1, 1, 1))
    assert torch.allclose(soft[0], pictures[0], atol=1e-6)
    rows = torch.arange(33) - 16.0
    assert soft[1, 0].sum().item() == pytest.approx(1, abs=1e-3)
    assert ((soft[1, 0].sum(dim=1) * rows.square()).sum() ** 0.5).item() == pytest.approx(2, rel=0.02)
