"""Optimises a model step by step. Who feeds the batches, and where checkpoints go, is the caller's business."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from g3dr.config import TrainingConfig
from g3dr.losses import Objective
from g3dr.model import G3DR
from g3dr.training.chance import StepChance
from g3dr.training.checkpoint import Checkpoint, adam_state, load_model, restore_adam
from g3dr.training.learning_rate import beta1, learning_rate
from g3dr.training.step import TrainingStep
from g3dr.types import Batch


def _unchanged(module: nn.Module) -> nn.Module:
    return module


def freeze(model: G3DR, config: TrainingConfig) -> None:
    """Takes the encoder half of the generator out of the training, if `config.freeze` says so."""
    frozen = set(model.encoder_parameters()) if config.freeze == "encoder" else set()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in frozen)


def _groups(model: G3DR, config: TrainingConfig) -> list[dict[str, Any]]:
    """Splits what is trained into network and plane decoder, each with the factor of its learning rate."""
    decoder = {name for name, _ in model.named_parameters() if name.startswith("decoder.")}
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    return [
        {"params": [parameter for name, parameter in trained.items() if name not in decoder], "factor": 1.0},
        {"params": [parameter for name, parameter in trained.items() if name in decoder], "factor": config.decoder_rate},
    ]


class Trainer:
    """Holds a model, its optimizer and the number of steps done.

    Args:
        model: The model to train, on `device`.
        objective: The losses.
        config: The training's settings.
        seed: Seeds all chance of the training.
        device: Where batches go.
        rank: This worker's number.
        world_size: Number of workers that share each batch.
        wrap: Makes the step's module distributed (such as torch's DistributedDataParallel).
    """

    def __init__(
        self,
        model: G3DR,
        objective: Objective,
        config: TrainingConfig,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world_size: int = 1,
        wrap: Callable[[nn.Module], nn.Module] = _unchanged,
    ) -> None:
        self.model, self.config, self.step = model, config, 0
        self._seed, self._device, self._rank, self._world_size = seed, device, rank, world_size
        freeze(model, config)
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
        self._optimizer = torch.optim.Adam(_groups(model, config), lr=config.learning_rate, betas=config.betas, fused=True)
        self._losses = wrap(TrainingStep(model, objective, config))

    def run_step(self, batch: Batch) -> dict[str, Tensor]:
        """Does one optimizer step; returns its loss terms, detached."""
        self._set_rates()
        positions = range(self._rank, self.config.batch_size, self._world_size)
        chance = StepChance(self._seed, self.step, positions, self._device)
        self._optimizer.zero_grad(set_to_none=True)
        terms: dict[str, Tensor] = self._losses(batch.to(self._device), chance, self.step)
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self._optimizer.step()
        self.step += 1
        return {name: value.detach() for name, value in terms.items()}

    def _set_rates(self) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = group["factor"] * learning_rate(self.config, self.step)
            group["betas"] = (beta1(self.config, self.step), self.config.betas[1])

    def checkpoint(self) -> Checkpoint:
        """Returns the state after the steps done so far."""
        return Checkpoint(self.step, self.model.state_dict(), adam_state(self._optimizer, self._names))

    def restore(self, checkpoint: Checkpoint, where: str) -> None:
        """Continues from `checkpoint`.

        Raises:
            CheckpointError: It does not fit the model or the frozen part.
        """
        load_model(self.model, checkpoint.model, where)
        if checkpoint.step > 0:
            restore_adam(self._optimizer, self._names, checkpoint.optimizer, checkpoint.step, where)
        self.step = checkpoint.step
