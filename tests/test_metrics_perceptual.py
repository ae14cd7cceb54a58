"""The perceptual distance: which network, under which name, and what a mask leaves out."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from g3dr.backbones import StageBackbone, finding, sources
from g3dr.backbones.places import setting_of
from g3dr.errors import DataError, WeightsMissingError
from g3dr.metrics import metric_title, perceptual_distance, perceptual_key, perceptual_network

pytestmark = pytest.mark.unit


@pytest.fixture
def nothing_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without VGG-16 and without leave to download."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv(finding.WEIGHTS_FOLDER, str(tmp_path))
    monkeypatch.delenv(finding.ALLOW_DOWNLOAD, raising=False)
    for name in sources.SOURCES:
        monkeypatch.delenv(setting_of(name), raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VGG-16 with random weights under another name than torchvision's, whose hash it would not have."""
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    generator, state = torch.Generator().manual_seed(0), {}
    layers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    for layer, (entering, leaving) in zip(layers, pairwise(widths), strict=True):
        state[f"features.{layer}.weight"] = torch.randn(leaving, entering, 3, 3, generator=generator) * (2 / entering / 9) ** 0.5
        state[f"features.{layer}.bias"] = torch.zeros(leaving)
    file = tmp_path_factory.mktemp("vgg") / "vgg.pth"
    torch.save(state, file)
    return file


@pytest.fixture(scope="module")
def stand_in() -> StageBackbone:
    from g3dr.backbones import load_perceptual

    return load_perceptual("efficientnet_lite0")


def pictures(seed: int = 0, side: int = 32) -> Tensor:
    coarse = torch.rand(2, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")


def left_half(side: int = 32) -> Tensor:
    mask = torch.zeros(2, 1, side, side, dtype=torch.bool)
    mask[..., : side // 2] = True
    return mask


def test_without_weights_the_stand_in_has_its_own_name(nothing_cached: Path) -> None:
    network = perceptual_network()
    assert network.name == "efficientnet-lite0"
    assert network.sha256.startswith("57934424")
    assert perceptual_key(network.name) == "perceptual"
    assert metric_title("perceptual", network.name) == "perceptual(efficientnet-lite0)"


def test_with_weights_it_is_lpips(nothing_cached: Path, vgg_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G3DR_WEIGHTS_VGG16", str(vgg_file))
    network = perceptual_network(torch.device("cpu"))
    assert network.name == "lpips-vgg16"
    assert perceptual_key(network.name) == "lpips"
    assert metric_title("perceptual", network.name) == "LPIPS"
    distance = perceptual_distance(network, pictures(), pictures(1), left_half())
    assert (distance > 0).all()
    with pytest.raises(DataError, match="16 x 16 pixels, got 8 x 8"):
        perceptual_distance(network, pictures(side=8), pictures(side=8))


def test_no_stand_in_for_weights_that_somebody_names(nothing_cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G3DR_WEIGHTS_VGG16", str(nothing_cached / "absent.pth"))
    with pytest.raises(WeightsMissingError, match=r"absent\.pth"):
        perceptual_network()


def test_precision_and_recall_carry_their_network() -> None:
    assert metric_title("precision", "inception-v3") == "precision(inception-v3)"
    assert metric_title("fd", "inception-v3") == "FID"


def test_a_mask_of_everything_changes_nothing(stand_in: StageBackbone) -> None:
    everything = torch.ones(2, 1, 32, 32, dtype=torch.bool)
    whole = perceptual_distance(stand_in, pictures(), pictures(1))
    torch.testing.assert_close(perceptual_distance(stand_in, pictures(), pictures(1), everything), whole, rtol=1e-5, atol=1e-7)


def test_what_a_mask_leaves_out_does_not_count(stand_in: StageBackbone) -> None:
    target, mask = pictures(1), left_half()
    wrong_outside = torch.where(mask, target, torch.nan)
    assert (perceptual_distance(stand_in, wrong_outside, target, mask) == 0).all()
    prediction = torch.where(mask, pictures(), target)
    inside = perceptual_distance(stand_in, prediction, target, mask)
    assert (inside > perceptual_distance(stand_in, prediction, target)).all(), "the untouched half no longer dilutes the difference"
    torch.testing.assert_close(perceptual_distance(stand_in, torch.where(mask, pictures(), -target), target, mask), inside)
    assert perceptual_distance(stand_in, prediction, target, ~mask & mask).isnan().all()


def test_worse_pictures_are_farther(stand_in: StageBackbone) -> None:
    target = pictures(1, 64)
    distances = [perceptual_distance(stand_in, target + level * pictures(2, 64), target) for level in (0.0, 0.1, 0.3, 1.0)]
    for near, far in pairwise(distances):
        assert (near < far).all()
