"""A training that is small enough to be done many times in a test."""

import torch

from g3dr.backbones import Backbones
from g3dr.config import GeneratorConfig, LossTerm, ModelConfig, ObjectiveConfig, RendererConfig, TrainingConfig
from g3dr.losses import FeatureStore, Objective
from g3dr.model import G3DR
from g3dr.training.optimization import Place
from g3dr.training.trainer import Trainer
from g3dr.types import Batch

SIDE = 16
MODEL = ModelConfig(
    GeneratorConfig(resolution=SIDE, width=8, multipliers=(1, 2), position_channels=4, features=8),
    RendererConfig(layout="perspective", decoder_width=8, coarse_samples=6, fine_samples=6),
)
WITHOUT_NETWORKS = ObjectiveConfig(clip=LossTerm("l1", 0.0), perceptual=LossTerm("l2", 0.0), pooled_rgb=LossTerm("l1", 1.0))
WITH_NETWORKS = ObjectiveConfig(semantic_start=0.0, clip_backbone="efficientnet_lite0", perceptual_backbone="efficientnet_lite0")


class Network(torch.nn.Module):
    """A frozen network with an embedding and two stages; counts how many images it has seen."""

    name, sha256 = "small", "0"

    def __init__(self) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(5)
        self.weight = torch.nn.Parameter(torch.randn(6, 3, 3, 3, generator=chance), requires_grad=False)
        self.seen = 0

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        self.seen += len(images)
        return torch.nn.functional.conv2d(images, self.weight).tanh().mean(dim=(2, 3))

    def stage_features(self, images: torch.Tensor, deepest: int | None = None) -> list[torch.Tensor]:
        self.seen += len(images)
        first = torch.nn.functional.conv2d(images, self.weight).tanh()
        stages = [first, torch.nn.functional.avg_pool2d(first, 2)]
        return stages if deepest is None else stages[-deepest:]


def make_settings(**changes) -> TrainingConfig:
    plain = {"steps": 12, "batch_size": 4, "rays_per_image": 24, "learning_rate": 1e-2, "novel_probability": 0.5}
    return TrainingConfig(**{**plain, **changes})


def make_batch(seed: int = 0, count: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 3, SIDE, SIDE, generator=generator) * 2 - 1
    depths = torch.rand(count, 1, SIDE, SIDE, generator=generator) * 2 + 4
    return Batch(images, depths, [str(number) for number in range(count)], ["thing"] * count)


def make_trainer(
    settings: TrainingConfig | None = None, network: Network | None = None, store: FeatureStore | None = None, **place
) -> Trainer:
    model = G3DR(MODEL)
    model.initialize(1)
    objective = Objective(WITH_NETWORKS, Backbones(network, network), store) if network else Objective(WITHOUT_NETWORKS)
    return Trainer(model, objective, settings or make_settings(), seed=3, place=Place(**place))


def train(trainer: Trainer, steps: int) -> list[float]:
    return [float(trainer.run_step(make_batch(trainer.step % 3))["loss"]) for _ in range(steps)]


def gradients(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Returns the gradient of the last step."""
    return {name: parameter.grad.clone() for name, parameter in trainer.model.named_parameters() if parameter.grad is not None}


def assert_equal_gradients(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], tolerance: float) -> None:
    """Compares relative to the largest entry of each parameter's gradient; what a norm takes out is rounding alone."""
    assert one.keys() == other.keys()
    rounding = 1e-6 * max(float(gradient.abs().max()) for gradient in one.values())
    for name, gradient in one.items():
        assert float((gradient - other[name]).abs().max()) <= tolerance * float(gradient.abs().max()) + rounding, name
