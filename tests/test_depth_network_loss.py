"""Disparity, the loss that is blind to scale and shift, and the figures of accuracy."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from g3dr.depth.accuracy import beside_simple_answers, centred_blob, figures, fitted, spearman, vertical_ramp
from g3dr.depth.disparity import disparity_of, planar_depth
from g3dr.depth.mapping import ray_lengths, to_disparity
from g3dr.depth.ssi_loss import gradient_difference, normalized, ssi_terms, trimmed_difference
from g3dr.errors import DataError

pytestmark = pytest.mark.unit


def maps(seed: int, count: int = 2, side: int = 16, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_disparity_is_that_of_the_numpy_mapping_and_can_be_undone():
    distances = 4 + 1.7 * maps(0, side=17)
    found = disparity_of(distances)
    for one, distance in zip(found, distances, strict=True):
        assert np.abs(one[0].numpy() - to_disparity(distance[0].numpy())).max() < 1e-5
    depth = planar_depth(found) * torch.from_numpy(ray_lengths(17, 17)).float()
    inside = (found > 0) & (found < 1)
    assert (depth - distances)[inside].abs().max() < 1e-4


def test_the_loss_is_blind_to_scale_and_shift_and_not_to_sign():
    estimate, truth = maps(1), maps(2)
    plain, stretched = ssi_terms(estimate, truth), ssi_terms(7 * estimate - 3, 0.2 * truth + 5)
    for name in ("loss", "ssi", "gradient"):
        assert torch.allclose(plain[name], stretched[name], rtol=1e-4), name
    assert ssi_terms(3 * truth + 1, truth)["loss"] < 1e-4
    assert ssi_terms(-truth, truth)["loss"] > 1


@pytest.mark.numeric
@pytest.mark.parametrize("trim", [0.0, 0.25])
def test_the_gradient_of_the_loss_is_that_of_finite_differences(trim):
    truth = maps(3, count=1, side=5, dtype=torch.float64)
    estimate = maps(4, count=1, side=5, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ssi_terms(x, truth, gradient_scales=2, trim=trim)["loss"], estimate, eps=1e-7)


def test_trimming_forgives_a_few_wild_pixels_and_gradients_see_edges():
    residual = torch.zeros(1, 1, 8, 8)
    residual[0, 0, 2, 3] = 100.0
    assert trimmed_difference(residual, 0.0).item() == pytest.approx(100 / 64)
    assert trimmed_difference(residual, 0.1).item() == 0
    step = torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 1
    assert gradient_difference(step, 1).item() == pytest.approx(1 / 7)
    assert gradient_difference(torch.ones(1, 1, 8, 8), 3).item() == 0


def test_a_flat_map_has_a_finite_loss_and_gradient():
    flat = torch.full((1, 1, 16, 16), 0.3, requires_grad=True)
    ssi_terms(flat, maps(5, count=1))["loss"].backward()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()
    assert (normalized(torch.full((1, 1, 4, 4), 2.0)) == 0).all()


def test_maps_that_are_too_small_for_the_scales_are_refused():
    with pytest.raises(DataError, match="more than 8 pixels"):
        ssi_terms(maps(0, side=8), maps(1, side=8))


def test_rank_correlation_is_that_of_scipy_with_ties():
    first, second = (maps(6, 3) * 9).round(), (maps(7, 3) * 5).round()
    expected = [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(first, second, strict=True)]
    assert spearman(first, second).tolist() == pytest.approx(expected, abs=1e-12)
    assert spearman(first.exp(), first).tolist() == pytest.approx([1.0] * 3)
    assert spearman(torch.ones_like(first), first).tolist() == [0, 0, 0]


def test_the_fit_is_that_of_least_squares_and_never_turns_a_map_around():
    estimate, truth = maps(8, 1), maps(9, 1) + maps(8, 1)
    factor, shift = np.polyfit(estimate.flatten().numpy(), truth.flatten().numpy(), 1)
    assert torch.allclose(fitted(estimate, truth), factor * estimate + shift, atol=1e-5)
    assert fitted(-truth, truth).std() < 1e-6
    assert torch.allclose(fitted(torch.ones_like(truth), truth), truth.mean().expand_as(truth))


def test_figures_of_the_truth_are_perfect_and_of_a_constant_are_the_spread():
    truth = maps(10, 2)
    perfect = figures(2 * truth - 1, truth)
    assert perfect["disparity_rmse"].max() < 1e-6
    assert perfect["abs_rel"].max() < 1e-6
    assert perfect["within_5_percent"].min() == 1
    assert perfect["spearman"].min() == pytest.approx(1)
    beside = beside_simple_answers(truth, truth)
    assert beside["disparity_rmse_of_mean"].tolist() == pytest.approx([one.std(correction=0).item() for one in truth], rel=1e-5)
    assert beside["spearman_of_mean"].tolist() == [0, 0]


def test_the_simple_answers_are_what_they_say():
    ramp = vertical_ramp(maps(0))
    assert (ramp.diff(dim=2) > 0).all()
    assert (ramp.diff(dim=3) == 0).all()
    blob = centred_blob(maps(0, side=15))
    assert blob[0, 0, 7, 7] == blob.max() == 1
    assert beside_simple_answers(maps(1), ramp)["spearman_of_ramp"].tolist() == pytest.approx([1, 1])
