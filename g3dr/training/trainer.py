"""Optimises a model step by step. Who feeds the batches, and where checkpoints go, is the caller's business."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from g3dr.config import ObjectiveConfig, TrainingConfig
from g3dr.errors import ConfigError
from g3dr.losses import Objective
from g3dr.losses.targets import image_digests
from g3dr.model import G3DR, SEMANTIC_PREFIX
from g3dr.training.chance import StepChance
from g3dr.training.checkpoint import Checkpoint, adam_state, load_model, restore_adam
from g3dr.training.learning_rate import beta1, learning_rate
from g3dr.training.step import TrainingStep
from g3dr.types import Batch


def _unchanged(module: nn.Module) -> nn.Module:
    return module


def freeze(model: G3DR, config: TrainingConfig, objective: ObjectiveConfig) -> None:
    """Takes out of the training the encoder half of the generator, if `config.freeze` says so, and semantics that no loss looks at."""
    frozen = set(model.encoder_parameters()) if config.freeze == "encoder" else set()
    unseen = (SEMANTIC_PREFIX,) if objective.semantics.weight == 0 else ()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in frozen and not name.startswith(unseen))


def _check_semantics(model: G3DR, objective: ObjectiveConfig) -> None:
    if objective.semantics.weight > 0 and model.config.conditioning.semantic_channels == 0:
        allowed = "0, or set model.conditioning.semantic_channels"
        raise ConfigError("objective.semantics.weight", objective.semantics.weight, allowed)


def _groups(model: G3DR, config: TrainingConfig) -> list[dict[str, Any]]:
    """Splits what is trained into network and plane decoder, each with the factor of its learning rate."""
    decoder = {name for name, _ in model.named_parameters() if name.startswith("decoder.")}
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    return [
        {"params": [parameter for name, parameter in trained.items() if name not in decoder], "factor": 1.0},
        {"params": [parameter for name, parameter in trained.items() if name in decoder], "factor": config.decoder_rate},
    ]


def _check_division(config: TrainingConfig, world_size: int) -> None:
    if config.batch_size % (world_size * config.accumulation):
        share = f"batch_size, which is {config.batch_size}, divided by the {world_size} workers"
        raise ConfigError("training.accumulation", config.accumulation, f"a divisor of training.{share}")


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

    Raises:
        ConfigError: The batch cannot be divided among the workers and the parts of `accumulation`, or the objective looks at
            semantics that the model does not have.
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
        self._objective = objective
        self._seed, self._device = seed, device
        self._positions = range(rank, config.batch_size, world_size)
        _check_division(config, world_size)
        _check_semantics(model, objective.config)
        freeze(model, config, objective.config)
        model.recompute = config.activation_checkpointing
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
        self._optimizer = torch.optim.Adam(_groups(model, config), lr=config.learning_rate, betas=config.betas, fused=True)
        self._losses = wrap(TrainingStep(model, objective, config))

    def run_step(self, batch: Batch) -> dict[str, Tensor]:
        """Does one optimizer step; returns its loss terms, detached."""
        self._set_rates()
        self._optimizer.zero_grad(set_to_none=True)
        terms = self._gradients(batch)
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self._optimizer.step()
        self.step += 1
        return terms

    def _gradients(self, batch: Batch) -> dict[str, Tensor]:
        """Adds up the gradient of the batch, part by part; workers exchange theirs once, with the last part."""
        parts = self.config.accumulation
        size = len(self._positions) // parts
        batch, found = self._with_digests(batch), []
        for number in range(parts):
            rows = slice(number * size, (number + 1) * size)
            with nullcontext() if number == parts - 1 else self._alone():
                found.append(self._gradients_of_part(batch.part(rows), rows))
        return {name: torch.stack([terms[name] for terms in found]).mean(dim=0) for name in found[0]}

    def _gradients_of_part(self, batch: Batch, rows: slice) -> dict[str, Tensor]:
        """Every part draws what its images would get in the whole batch."""
        chance = StepChance(self._seed, self.step, self._positions[rows], self._device)
        terms: dict[str, Tensor] = self._losses(batch.to(self._device), chance, self.step)
        (terms["loss"] / self.config.accumulation).backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in terms.items()}

    def _with_digests(self, batch: Batch) -> Batch:
        """Names the images before they travel to the device, if features of them are kept."""
        store = self._objective.store
        return batch if store is None or store.is_useless else replace(batch, digests=image_digests(batch.images))

    def _alone(self) -> AbstractContextManager[None]:
        """Keeps gradients on this worker for the time being."""
        if isinstance(self._losses, nn.parallel.DistributedDataParallel):
            return self._losses.no_sync()
        return nullcontext()

    def _set_rates(self) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = group["factor"] * learning_rate(self.config, self.step)
            group["betas"] = (beta1(self.config, self.step), self.config.betas[1])

    def checkpoint(self) -> Checkpoint:
        """Returns the state after the steps done so far."""
        return Checkpoint(self.step, self.model.state_dict(), adam_state(self._optimizer, self._names), self.model.config)

    def restore(self, checkpoint: Checkpoint, where: str) -> None:
        """Continues from `checkpoint`.

        Raises:
            CheckpointError: It does not fit the model or the frozen part.
        """
        load_model(self.model, checkpoint.model, where)
        if checkpoint.step > 0:
            restore_adam(self._optimizer, self._names, checkpoint.optimizer, checkpoint.step, where)
        self.step = checkpoint.step
