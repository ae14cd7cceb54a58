"""A network of the front end that is small enough to be trained many times in a test: it learns to take noise out of pictures."""

import numpy as np
import torch
from training_fixture import make_batch, make_settings

from g3dr.config import TrainingConfig
from g3dr.training.learning import Assessment, Learner
from g3dr.training.network_trainer import NetworkTrainer
from g3dr.training.optimization import Place
from g3dr.upscaling.config import UpscalerConfig


class Cleaner(Learner):
    """One convolution, a frozen one beside it, and a scale that is measured before the first step."""

    def __init__(self, average_decay: float = 0.0) -> None:
        super().__init__()
        self.config, self.average_decay = UpscalerConfig(), average_decay
        self.network = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.Conv2d(3, 3, 1))
        self.network.register_buffer("scale", torch.ones(()))
        self.network[1].requires_grad_(requires_grad=False)

    def initialize(self, seed: int) -> None:
        chance = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=chance) * 0.1)

    def prepare(self, batches) -> None:
        self.network.scale.copy_(torch.stack([batch.images.std() for batch in batches]).mean())

    def forward(self, batch, chance, step) -> dict[str, torch.Tensor]:
        noisy = batch.images + 0.3 * chance.uniform(*batch.images.shape[1:])
        loss = (self.network(noisy) - batch.images).square().mean(dim=(1, 2, 3)).mean()
        return {"loss": loss, "late": loss * step}

    def assess(self, batches, seed, advance) -> Assessment:
        found, keys, errors = None, [], {"error": [], "error_of_black": []}
        for batch in batches:
            found = self.network(batch.images)
            keys.extend(batch.keys)
            for name, answer in (("error", found), ("error_of_black", -torch.ones_like(found))):
                errors[name].extend((answer - batch.images).abs().mean(dim=(1, 2, 3)).tolist())
        sheet = ((found[0].clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()
        return Assessment(
            {name: float(np.mean(values)) for name, values in errors.items()}, errors, keys, keys, {"Cleaned pictures": sheet}
        )


def make_network_trainer(average_decay: float = 0.0, settings: TrainingConfig | None = None, **place) -> NetworkTrainer:
    learner = Cleaner(average_decay)
    learner.initialize(1)
    return NetworkTrainer(learner, settings or make_settings(), seed=3, sample=lambda: [make_batch(0), make_batch(1)], place=Place(**place))
