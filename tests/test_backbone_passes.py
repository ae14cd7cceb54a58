"""What makes frozen networks cheaper changes nothing of what they say: folded batch norms, padding within, one look for two losses."""

from pathlib import Path

import pytest
import torch
from torch import nn

from g3dr.backbones import Backbones, find_weights, load_semantic
from g3dr.backbones.efficientnet import EfficientNetLite0, bare_network
from g3dr.backbones.folding import fold_batch_norms, pad_within
from g3dr.backbones.once import LookingOnce, looking_once
from g3dr.backbones.reading import read_tensors
from g3dr.config import LossTerm, ObjectiveConfig
from g3dr.losses import Objective, Progress
from g3dr.types import Frames

pytestmark = pytest.mark.numeric


def pictures(count: int = 2, side: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    backbone = load_semantic("efficientnet_lite0")
    assert isinstance(backbone, EfficientNetLite0)
    return backbone


@pytest.mark.parametrize("side", [128, 160, 224])
def test_the_folded_network_is_that_of_the_package(side: int) -> None:
    weights = Path(find_weights("efficientnet-lite0"))
    stock, folded = bare_network().double(), EfficientNetLite0(weights)
    stock.load_state_dict(read_tensors(weights))
    stock.eval()
    shown = pictures(1, side).double().requires_grad_()
    wanted = stock.extract_features((shown * 127.5 + 0.5) / 128).mean(dim=(2, 3))
    torch.testing.assert_close(folded.embed(shown.float()).double(), wanted, rtol=1e-4, atol=1e-5)
    # In double precision: single precision tips units over the edges of ReLU6, where gradients jump. The folded weights are rounded.
    gradients = [torch.autograd.grad(result.square().sum(), shown)[0] for result in (wanted, folded.double().embed(shown))]
    assert (gradients[0] - gradients[1]).norm() < 1e-5 * gradients[0].norm()


def test_nothing_is_left_of_batch_norms_and_of_even_padding(network: EfficientNetLite0) -> None:
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    paddings = [module.padding for module in network.modules() if isinstance(module, nn.ZeroPad2d)]
    assert all(left != right and top != bottom for left, right, top, bottom in paddings)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_folding_needs_statistics() -> None:
    with pytest.raises(ValueError, match="running statistics"):
        fold_batch_norms(nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, track_running_stats=False)))


def test_uneven_padding_stays() -> None:
    convolution = nn.Conv2d(1, 1, 3, stride=2)
    convolution.static_padding = nn.ZeroPad2d((0, 1, 0, 1))
    pad_within(convolution)
    assert convolution.padding == (0, 0)
    assert isinstance(convolution.static_padding, nn.ZeroPad2d)


class Watched(EfficientNetLite0):
    """Counts the pictures that pass through it."""

    passes = 0

    def _stages(self, prepared: torch.Tensor) -> list[torch.Tensor]:
        self.passes += len(prepared)
        return super()._stages(prepared)


@pytest.mark.parametrize("deepest", [None, 2])
def test_one_look_gives_what_two_give(network: EfficientNetLite0, deepest: int | None) -> None:
    once = LookingOnce(network, deepest)
    assert torch.equal(once.embed(pictures()), network.embed(pictures()))
    for found, wanted in zip(once.stage_features(pictures(), deepest), network.stage_features(pictures(), deepest), strict=True):
        assert torch.equal(found, wanted)


def objective(network: EfficientNetLite0, clip: float, perceptual: float) -> Objective:
    off = LossTerm(weight=0.0)
    terms = {"clip": LossTerm(form="l1", weight=clip), "perceptual": LossTerm(form="l2", weight=perceptual), "pooled_rgb": off}
    names = {"clip_backbone": "efficientnet_lite0", "perceptual_backbone": "efficientnet_lite0"}
    return Objective(ObjectiveConfig(tv=off, spread=0.0, opacity=0.0, **terms, **names), Backbones(semantic=network, perceptual=network))


def test_two_losses_look_once_at_the_rendered_view_and_once_at_the_image() -> None:
    network = Watched(Path(find_weights("efficientnet-lite0")))
    rendered = pictures(seed=1).requires_grad_()
    frames = Frames(rgb=rendered, depth=torch.ones(2, 1, 32, 32), opacity=torch.ones(2, 1, 32, 32))

    def step(clip: float, perceptual: float) -> tuple[dict[str, torch.Tensor], torch.Tensor, int]:
        network.passes = 0
        terms = objective(network, clip, perceptual).novel(frames, pictures(), Progress(0, 10))
        (gradient,) = torch.autograd.grad(terms.total(), rendered)
        return dict(terms.values), gradient, network.passes

    both, together, passes = step(0.35, 2.0)
    embedding, first, alone = step(0.35, 0.0)
    perceptual, second, _ = step(0.0, 2.0)
    assert (passes, alone) == (4, 4)
    assert both == {**embedding, **perceptual}
    torch.testing.assert_close(together, first + second, rtol=1e-4, atol=1e-7)


def test_pictures_are_told_apart_by_what_they_are_and_by_their_gradient(network: EfficientNetLite0) -> None:
    once, batch = LookingOnce(network, None), pictures(2)
    with torch.no_grad():
        first = once.embed(batch[:1])
        assert once.embed(batch.detach()[:1]) is first
        assert not torch.equal(once.embed(batch[1:]), first)
    assert once.embed(batch[:1].requires_grad_()).requires_grad


def test_two_networks_look_each_for_itself(network: EfficientNetLite0) -> None:
    other = EfficientNetLite0(Path(find_weights("efficientnet-lite0")))
    networks = Backbones(semantic=network, perceptual=other)
    assert looking_once(networks, None) is networks
