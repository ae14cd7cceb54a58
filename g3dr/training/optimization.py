"""Optimises a model step by step, whatever its loss: rates by the step, gradients part by part, Adam, checkpoints."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from g3dr.config import TrainingConfig
from g3dr.errors import ConfigError
from g3dr.training.adam import Adam
from g3dr.training.chance import StepChance
from g3dr.training.checkpoint import Checkpoint, adam_state, load_model, restore_adam
from g3dr.training.learning_rate import beta1, learning_rate
from g3dr.types import Batch

Wrap = Callable[[nn.Module], nn.Module]


def unwrapped(module: nn.Module) -> nn.Module:
    """Returns a module as it is: for one worker."""
    return module


@dataclass(frozen=True)
class Place:
    """Where a worker trains, and with whom.

    Attributes:
        device: Where its model is and batches go.
        rank: Its number.
        world_size: Number of workers that share each batch.
        wrap: Makes what computes the losses distributed (such as torch's DistributedDataParallel).
    """

    device: torch.device | str = "cpu"
    rank: int = 0
    world_size: int = 1
    wrap: Wrap = unwrapped


ALONE = Place()
"""One worker on the CPU."""


def _check_division(config: TrainingConfig, world_size: int) -> None:
    if config.batch_size % (world_size * config.accumulation):
        share = f"batch_size, which is {config.batch_size}, divided by the {world_size} workers"
        raise ConfigError("training.accumulation", config.accumulation, f"a divisor of training.{share}")


class Optimization:
    """Holds a model, its optimizer and the number of steps done.

    Args:
        model: What checkpoints hold, on the device of `place`.
        losses: A module that takes a batch, its chance and the step, and returns loss terms, `loss` among them.
        groups: Parameters with the `factor` of their learning rate, as Adam's groups.
        config: The training's settings.
        seed: Seeds all chance of the training.
        place: Where this worker trains, and with whom.

    Raises:
        ConfigError: The batch cannot be divided among the workers and the parts of `accumulation`.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: nn.Module,
        groups: Sequence[dict[str, Any]],
        config: TrainingConfig,
        *,
        seed: int,
        place: Place = ALONE,
    ) -> None:
        _check_division(config, place.world_size)
        self.config, self.step = config, 0
        self._weights = model
        self._seed, self._device = seed, place.device
        self._positions = range(place.rank, config.batch_size, place.world_size)
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
        self._optimizer = Adam(groups, config.learning_rate, config.betas)
        self._losses = place.wrap(losses)

    def run_step(self, batch: Batch) -> dict[str, Tensor]:
        """Does one optimizer step; returns its loss terms, detached."""
        self._set_rates()
        self._optimizer.zero_grad()
        terms = self._gradients(batch)
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self._weights.parameters(), self.config.gradient_clip)
        self._optimizer.step()
        self.step += 1
        return terms

    def _prepared(self, batch: Batch) -> Batch:
        """Returns what the losses see of a batch, before it travels to the device."""
        return batch

    def _gradients(self, batch: Batch) -> dict[str, Tensor]:
        """Adds up the gradient of the batch, part by part; workers exchange theirs once, with the last part."""
        parts = self.config.accumulation
        size = len(self._positions) // parts
        batch, found = self._prepared(batch), []
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
        return Checkpoint(self.step, self._weights.state_dict(), adam_state(self._optimizer, self._names))

    def restore(self, checkpoint: Checkpoint, where: str) -> None:
        """Continues from `checkpoint`.

        Raises:
            CheckpointError: It does not fit the model or the frozen part.
        """
        load_model(self._weights, checkpoint.model, where)
        if checkpoint.step > 0:
            restore_adam(self._optimizer, self._names, checkpoint.optimizer, checkpoint.step, where)
        self.step = checkpoint.step
