"""The four forms, the terms, the schedules and the objective."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from g3dr.backbones import Backbones
from g3dr.config import LossForm, LossTerm, ObjectiveConfig
from g3dr.errors import ConfigError, DataError
from g3dr.losses import (
    Objective,
    Progress,
    compare,
    compare_per_image,
    deep_feature_distance,
    embedding_distance,
    opacity_loss,
    pooled_rgb,
    schedules,
    total_variation,
)
from g3dr.types import Frames, Rendering

pytestmark = pytest.mark.unit

FORMS: tuple[LossForm, ...] = get_args(LossForm)
GOLDEN = Path(__file__).parent / "goldens" / "losses.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as archive:
        return dict(archive)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize(("form", "name"), [("l1", "l1"), ("smooth_l1", "smooth_l1"), ("cosine", "cosine_embedding_target1")])
def test_forms_match_the_goldens(golden: dict[str, np.ndarray], form: LossForm, name: str) -> None:
    value = compare(form, torch.from_numpy(golden["a"]), torch.from_numpy(golden["b"]))
    assert value.item() == pytest.approx(golden[name].item(), rel=1e-5)


def test_l2_is_the_mean_squared_difference() -> None:
    prediction, target = noise(3, 7, 3), noise(3, 7, 3, seed=1)
    torch.testing.assert_close(compare("l2", prediction, target), torch.nn.functional.mse_loss(prediction, target))


@pytest.mark.parametrize("form", FORMS)
def test_equal_arrays_cost_nothing_and_others_something(form: LossForm) -> None:
    picture = noise(2, 3, 4, 4)
    assert compare(form, picture, picture).item() == pytest.approx(0, abs=1e-6)
    assert compare(form, picture, noise(2, 3, 4, 4, seed=1)).item() > 0.1


@pytest.mark.numeric
@pytest.mark.parametrize("form", FORMS)
def test_gradients_of_the_forms(form: LossForm) -> None:
    prediction = noise(2, 5, 3, dtype=torch.float64).requires_grad_()
    target = noise(2, 5, 3, seed=1, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda values: compare_per_image(form, values, target), (prediction,))


@pytest.mark.parametrize("form", FORMS)
def test_mean_over_equal_shards_is_the_whole(form: LossForm) -> None:
    prediction, target = noise(4, 6, 3), noise(4, 6, 3, seed=1)
    shards = [compare(form, prediction[part], target[part]) for part in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(torch.stack(shards).mean(), compare(form, prediction, target))


def test_cosine_is_blind_to_scale_and_the_others_are_not() -> None:
    prediction, target = noise(2, 6, 3), noise(2, 6, 3, seed=1)
    torch.testing.assert_close(compare("cosine", 7 * prediction, target), compare("cosine", prediction, target))
    assert all(compare(form, 7 * prediction, target) > 2 * compare(form, prediction, target) for form in FORMS if form != "cosine")


def test_cosine_of_zeros_is_one_with_a_finite_gradient() -> None:
    prediction = torch.zeros(1, 4, requires_grad=True)
    value = compare("cosine", prediction, torch.ones(1, 4))
    value.backward()
    assert value.item() == 1
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


def test_shapes_are_not_broadcast() -> None:
    with pytest.raises((DataError, TypeError)):
        compare("l1", noise(2, 6, 3), noise(2, 1, 3))
    with pytest.raises(DataError, match="at least one"):
        compare("l1", noise(0, 3), noise(0, 3))


def test_total_variation_matches_the_golden(golden: dict[str, np.ndarray]) -> None:
    value = total_variation(torch.from_numpy(golden["tv_in"]))
    assert value.item() == pytest.approx(golden["tv_out"].item(), rel=1e-5)


@pytest.mark.numeric
@pytest.mark.parametrize("form", FORMS)
def test_total_variation_of_a_plane_and_its_gradient(form: LossForm) -> None:
    assert total_variation(torch.full((2, 1, 5, 4), 5.0), form).item() == pytest.approx(0, abs=1e-6)
    depth = noise(2, 1, 3, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: total_variation(values, form), (depth,))


def test_total_variation_needs_neighbours() -> None:
    with pytest.raises(DataError, match="2 x 2"):
        total_variation(torch.ones(1, 1, 1, 5))


def test_pooled_colours_ignore_detail_and_resolution() -> None:
    coarse = noise(2, 3, 4, 4)
    fine = coarse.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    detail = torch.tensor([1.0, -1.0]).repeat(8)
    assert pooled_rgb(fine + detail, coarse, size=4).item() == pytest.approx(0, abs=1e-6)
    assert pooled_rgb(fine + 1, coarse, size=4).item() == pytest.approx(1, abs=1e-6)


def test_opacity_loss_matches_the_golden(golden: dict[str, np.ndarray]) -> None:
    value = opacity_loss(torch.from_numpy(golden["weight_loss_in"])[..., 0])
    assert value.item() == pytest.approx(golden["weight_loss"].item(), rel=1e-5)


def test_schedules_match_the_goldens(golden: dict[str, np.ndarray]) -> None:
    steps = 300_000
    whole = [int(step) for step in golden["steps"]]
    np.testing.assert_allclose(
        [schedules.novel_yaw_divisor(s, steps, (24.0, 6.0)) for s in whole], golden["high2low_24_6_0_100000"], rtol=1e-6
    )
    np.testing.assert_allclose([schedules.opacity_factor(s, steps) for s in whole], golden["low2high_0_1_0_150000"], rtol=1e-6)
    np.testing.assert_allclose([schedules.novel_chance(s, steps, 0.4) for s in whole], golden["p_novel_300000"], rtol=1e-6)


def test_semantic_factor_starts_where_it_is_told() -> None:
    assert [schedules.semantic_factor(step, 10, 0.5) for step in (0, 4, 5, 9)] == [0, 0, 0.5, 0.5]
    assert schedules.semantic_factor(0, 10, 0.0) == 0.5
    assert schedules.semantic_factor(9, 10, 1.0) == 0


class CountingBackbone:
    """Embeds by average colour, shows two stages, and counts how often it is asked."""

    sha256 = "0" * 64

    def __init__(self, name: str = "clip-test") -> None:
        self.name = name
        self.calls: list[str] = []

    def embed(self, images: Tensor) -> Tensor:
        self.calls.append("embed")
        return images.mean(dim=(2, 3))

    def stage_features(self, images: Tensor, deepest: int | None = None) -> list[Tensor]:
        self.calls.append(f"stages {deepest}")
        stages = [images, images[..., ::2, ::2], images[..., ::4, ::4]]
        return stages if deepest is None else stages[-deepest:]


def test_targets_carry_no_gradient() -> None:
    backbone = CountingBackbone()
    prediction, target = noise(2, 3, 8, 8).requires_grad_(), noise(2, 3, 8, 8, seed=1).requires_grad_()
    (embedding_distance(backbone, "l1", prediction, target) + deep_feature_distance(backbone, "l2", prediction, target)).backward()
    assert target.grad is None
    assert prediction.grad is not None
    assert prediction.grad.abs().sum() > 0


def test_deep_features_sum_over_channels_and_stages() -> None:
    prediction, target = noise(2, 3, 8, 8), noise(2, 3, 8, 8, seed=1)
    backbone = CountingBackbone()
    expected = [(prediction[..., ::k, ::k] - target[..., ::k, ::k]).square().sum(dim=1).mean() for k in (1, 2, 4)]
    torch.testing.assert_close(deep_feature_distance(backbone, "l2", prediction, target), torch.stack(expected).sum())
    torch.testing.assert_close(deep_feature_distance(backbone, "l2", prediction, target, deepest=2), torch.stack(expected[1:]).sum())


def rendering_and_target(resolution: int = 8) -> tuple[Rendering, Tensor, Tensor]:
    rays = resolution**2
    rendering = Rendering(noise(2, rays, 3), noise(2, rays) + 5, torch.rand(2, rays, generator=torch.Generator().manual_seed(3)))
    return rendering, noise(2, rays, 3, seed=1), noise(2, rays, seed=2) + 5


def all_terms(**changes: object) -> Objective:
    return Objective(ObjectiveConfig(**changes), Backbones(CountingBackbone(), CountingBackbone("lpips-test")))  # type: ignore[arg-type]


def test_canonical_terms_and_weights_over_time() -> None:
    objective = all_terms()
    rendering, rgb, depth = rendering_and_target()
    early = objective.canonical(rendering, rgb, depth, Progress(0, 100))
    assert dict(early.weights) == {"rgb": 1, "depth": 2}
    images = noise(2, 3, 8, 8, seed=4)
    late = objective.canonical(rendering, rgb, depth, Progress(50, 100), frame=rendering.frames(8, 8).rgb, images=images)
    assert dict(late.weights) == {"rgb": 1, "depth": 2, "clip": 0.175, "perceptual": 1.0, "opacity": 1.0}
    torch.testing.assert_close(late.total(), sum(late.weights[name] * late.values[name] for name in late.weights))


def test_terms_without_weight_are_not_computed() -> None:
    objective = all_terms(clip=LossTerm("l1", 0.0), perceptual=LossTerm("l2", 0.0), rgb=LossTerm("l1", 0.0), opacity=0.0)
    rendering, rgb, depth = rendering_and_target()
    frames = rendering.frames(8, 8)
    terms = objective.canonical(rendering, rgb, depth, Progress(99, 100), frame=frames.rgb, images=frames.rgb)
    novel = objective.novel(frames, frames.rgb, Progress(99, 100))
    assert set(terms.values) == {"depth"}
    assert set(novel.values) == {"tv"}
    assert isinstance(objective.backbones.semantic, CountingBackbone)
    assert objective.backbones.semantic.calls == []


def test_novel_steps_use_the_two_deepest_stages() -> None:
    objective = all_terms(pooled_rgb=LossTerm("l1", 1.0))
    rendering, _, _ = rendering_and_target(16)
    terms = objective.novel(rendering.frames(16, 16), noise(2, 3, 32, 32, seed=5), Progress(25, 100))
    assert dict(terms.weights) == {"clip": 0.35, "perceptual": 2, "tv": 0.1, "pooled_rgb": 1, "opacity": 0.5}
    assert isinstance(objective.backbones.perceptual, CountingBackbone)
    assert objective.backbones.perceptual.calls == ["stages 2", "stages 2"]


def test_frames_are_asked_for_only_when_needed() -> None:
    objective, plain = all_terms(), Objective(ObjectiveConfig(clip=LossTerm(weight=0.0), perceptual=LossTerm(weight=0.0)))
    assert [objective.needs_frame(Progress(step, 100), novel=False) for step in (0, 49, 50)] == [False, False, True]
    assert not plain.needs_frame(Progress(99, 100), novel=False)
    assert plain.needs_frame(Progress(0, 100), novel=True)
    rendering, rgb, depth = rendering_and_target()
    with pytest.raises(DataError, match="step 60 of 100"):
        objective.canonical(rendering, rgb, depth, Progress(60, 100))


def test_stand_ins_appear_under_their_own_name() -> None:
    backbone = CountingBackbone("efficientnet-lite0")
    objective = Objective(ObjectiveConfig(), Backbones(backbone, backbone))
    assert (objective.semantic_name, objective.perceptual_name) == ("embedding(efficientnet-lite0)", "perceptual(efficientnet-lite0)")
    frames = Frames(noise(1, 3, 8, 8), noise(1, 1, 8, 8), torch.ones(1, 1, 8, 8))
    assert "embedding(efficientnet-lite0)" in objective.novel(frames, frames.rgb, Progress(0, 10)).values


def test_a_weighted_term_without_backbone_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"objective\.clip\.weight"):
        Objective(ObjectiveConfig())


def test_an_objective_without_terms_costs_nothing() -> None:
    off = LossTerm(weight=0.0)
    objective = Objective(ObjectiveConfig(rgb=off, depth=off, clip=off, perceptual=off, tv=off, opacity=0.0))
    rendering, rgb, depth = rendering_and_target()
    assert objective.canonical(rendering, rgb, depth, Progress(0, 1)).total().item() == 0
