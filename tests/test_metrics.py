"""Per-image metrics: pictures and depths."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from g3dr.errors import DataError
from g3dr.metrics import Mean, depth_l2_normalized, depth_rmse, flatness, metric_title, non_flatness_score, psnr, ssim

pytestmark = pytest.mark.unit


def pictures(count: int = 3, side: int = 24, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def depths(count: int = 3, side: int = 12, seed: int = 0) -> Tensor:
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(seed)) * 2 + 4


def test_psnr_of_a_known_error() -> None:
    grey = torch.zeros(1, 3, 8, 8)
    assert psnr(grey + 0.2, grey).item() == pytest.approx(20, abs=1e-5)
    assert psnr(grey, grey).item() == 100
    assert psnr(grey + 5, grey + 1).item() == 100, "predictions are clamped as they are for saving"


def test_psnr_and_ssim_agree_with_torchmetrics() -> None:
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    prediction, target = (pictures() * 0.3 + pictures(seed=1) * 0.7), pictures(seed=1)
    judged = peak_signal_noise_ratio(prediction, target, data_range=2.0, reduction="none", dim=(1, 2, 3))
    torch.testing.assert_close(psnr(prediction, target).float(), judged, rtol=1e-5, atol=1e-5)
    judged = structural_similarity_index_measure((prediction + 1) / 2, (target + 1) / 2, data_range=1.0, reduction="none")
    torch.testing.assert_close(ssim(prediction, target).float(), judged, rtol=1e-4, atol=1e-5)


def test_one_picture_is_compared_with_every_target() -> None:
    one, targets = pictures(1, seed=3), pictures(4)
    mask = torch.rand(4, 1, *targets.shape[-2:], generator=torch.Generator().manual_seed(5)) < 0.5
    for metric in (psnr, ssim):
        assert torch.equal(metric(one, targets, mask), metric(one.expand(4, -1, -1, -1), targets, mask))


def test_ssim_can_be_minimised_after_it_was_measured_in_inference_mode() -> None:
    with torch.inference_mode():
        ssim(pictures(1), pictures(1, seed=3))
    shown = pictures(1).requires_grad_()
    ssim(shown, pictures(1, seed=3)).sum().backward()
    assert shown.grad is not None
    assert shown.grad.abs().max() > 0


def test_ssim_of_equal_pictures_is_one_and_small_ones_are_refused() -> None:
    torch.testing.assert_close(ssim(pictures(), pictures()), torch.ones(3, dtype=torch.float64))
    with pytest.raises(DataError, match="6 x 6"):
        ssim(pictures(side=5), pictures(side=5))


def test_masks_leave_out_what_is_wrong() -> None:
    target = pictures(side=8)
    prediction = target.clone()
    prediction[:, :, :4] = -prediction[:, :, :4]
    mask = torch.zeros(3, 1, 8, 8, dtype=torch.bool)
    mask[:, :, 4:] = True
    assert (psnr(prediction, target, mask) == 100).all()
    assert (psnr(prediction, target, ~mask) < psnr(prediction, target)).all()
    wrong = torch.where(mask, 5.0, torch.tensor(float("inf")))
    assert (depth_rmse(wrong, torch.full_like(wrong, 5.0), mask) == 0).all()


def test_an_empty_mask_is_unknown_and_does_not_count() -> None:
    mask = torch.ones(3, 1, 12, 12, dtype=torch.bool)
    mask[1] = False
    values = depth_rmse(depths() + 0.5, depths(), mask)
    assert values[1].isnan()
    assert Mean.of(values).count == 2
    assert Mean.of(values).value == pytest.approx(0.5, abs=1e-6)
    assert Mean().value is None
    assert psnr(pictures(side=12), pictures(side=12), ~mask & mask).isnan().all()


def test_means_merge_as_if_they_were_one() -> None:
    values = torch.rand(10, generator=torch.Generator().manual_seed(0))
    merged = Mean.of(values[:3]).merge(Mean.of(values[3:]))
    assert merged.count == 10
    assert merged.value == pytest.approx(values.double().mean().item(), abs=1e-12)


def test_depth_rmse_of_a_known_error() -> None:
    truth = depths()
    offset = torch.tensor([0.0, 0.25, 0.5]).view(3, 1, 1, 1)
    torch.testing.assert_close(depth_rmse(truth + offset, truth).float(), offset.flatten(), atol=1e-5, rtol=1e-5)


def test_normalized_depth_is_blind_to_shift_and_scale() -> None:
    truth = depths()
    values = depth_l2_normalized(truth * 3 - 7, truth)
    torch.testing.assert_close(values, torch.zeros_like(values), atol=1e-10, rtol=0)
    torch.testing.assert_close(depth_l2_normalized(-truth, truth), torch.full((3,), 4.0, dtype=torch.float64))


def test_normalized_depth_of_a_constant_map() -> None:
    flat = torch.full((3, 1, 12, 12), 5.1)
    torch.testing.assert_close(depth_l2_normalized(flat, depths()), torch.ones(3, dtype=torch.float64))
    assert (depth_l2_normalized(flat, flat + 0.3) == 0).all()


def test_flatness_matches_the_golden() -> None:
    with np.load(Path(__file__).parent / "goldens" / "nfs.npz") as golden:
        maps = torch.from_numpy(golden["depth_maps"])[:, None]
        np.testing.assert_allclose(flatness(maps), golden["exp_entropy_per_map"], rtol=1e-5)
        assert non_flatness_score(maps) == pytest.approx(golden["nfs"].item(), rel=1e-5)


def test_flatness_runs_from_one_to_all_bins() -> None:
    ramp = torch.linspace(4, 5.999, 64 * 9).view(1, 1, 24, 24)
    assert flatness(ramp).item() == pytest.approx(64, rel=1e-6)
    assert flatness(torch.full((1, 1, 24, 24), 9.0)).item() == pytest.approx(1, rel=1e-6)
    assert flatness(5 + (ramp - 5) / 1000).item() < 3, "flattening the depth lowers the score"


def test_only_inception_has_the_published_names() -> None:
    assert metric_title("fd", "inception-v3") == "FID"
    assert metric_title("fd", "efficientnet-lite0") == "FD(efficientnet-lite0)"
    assert "efficientnet-lite0" in metric_title("inception_score", "efficientnet-lite0")


def test_metrics_stay_finite_for_extreme_pictures() -> None:
    white, black = torch.ones(1, 3, 16, 16), -torch.ones(1, 3, 16, 16)
    assert psnr(black, white).item() == pytest.approx(0, abs=1e-6)
    assert math.isfinite(ssim(black, white).item())
