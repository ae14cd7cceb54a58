"""Trains a network of the front end as G3DR is trained, with a moving average of its weights where its learner wants one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from g3dr.config import TrainingConfig
from g3dr.errors import CheckpointError
from g3dr.networks import network_to_json
from g3dr.training.checkpoint import Checkpoint
from g3dr.training.learning import Learner
from g3dr.training.optimization import ALONE, Optimization, Place
from g3dr.types import Batch

RAW = ".raw"
"""Ends the names under which a checkpoint keeps the weights themselves, where its model holds their average."""


def average_decay(decay: float, step: int) -> float:
    """Returns the decay after `step` steps: small at first, so that the average soon forgets the initial weights."""
    return min(decay, (1 + step) / (10 + step))


class NetworkTrainer(Optimization):
    """Holds a learner, its optimizer, the average of its weights and the number of steps done.

    Args:
        learner: The network with its loss, on the device of `place`.
        config: The training's settings.
        seed: Seeds all chance of the training.
        sample: Returns the first batches of the training, for what the learner prepares before its first step.
        place: Where this worker trains, and with whom.

    Raises:
        ConfigError: The batch cannot be divided among the workers and the parts of `accumulation`.
    """

    def __init__(
        self,
        learner: Learner,
        config: TrainingConfig,
        *,
        seed: int,
        sample: Callable[[], Iterable[Batch]] = tuple,
        place: Place = ALONE,
    ) -> None:
        self.model, self._learner, self._sample = learner.network, learner, sample
        self._trained = {name: parameter for name, parameter in learner.network.named_parameters() if parameter.requires_grad}
        groups = [{"params": list(self._trained.values()), "factor": 1.0}]
        super().__init__(learner.network, learner, groups, config, seed=seed, place=place)
        self._average: dict[str, Tensor] = {}

    def run_step(self, batch: Batch) -> dict[str, Tensor]:
        """Does one optimizer step; returns its loss terms, detached."""
        if self.step == 0:
            self._learner.prepare(self._sample())
        self._begin_average()
        terms = super().run_step(batch)
        self._add_to_average()
        return terms

    def _begin_average(self) -> None:
        if self._learner.average_decay and not self._average:
            self._average = {name: parameter.detach().clone() for name, parameter in self._trained.items()}

    @torch.no_grad()
    def _add_to_average(self) -> None:
        if self._average:
            weight = 1 - average_decay(self._learner.average_decay, self.step)
            torch._foreach_lerp_(list(self._average.values()), list(self._trained.values()), weight)

    def checkpoint(self) -> Checkpoint:
        """Returns the state after the steps done so far; its model is the average, if there is one."""
        state = super().checkpoint()
        raw = {f"{name}{RAW}": state.model[name] for name in self._average}
        network = network_to_json(self._learner.config)
        return replace(state, model={**state.model, **self._average}, optimizer={**state.optimizer, **raw}, network=network)

    def restore(self, checkpoint: Checkpoint, where: str) -> None:
        """Continues from `checkpoint`.

        Raises:
            CheckpointError: It does not fit the network or its average.
        """
        super().restore(checkpoint, where)
        if self._learner.average_decay and checkpoint.step > 0:
            self._begin_average()
            self._restore_raw(checkpoint.optimizer, where)

    @torch.no_grad()
    def _restore_raw(self, state: Mapping[str, Tensor], where: str) -> None:
        for name, parameter in self._trained.items():
            if f"{name}{RAW}" not in state:
                raise CheckpointError(f"{where}: the checkpoint lacks the weights {name} beside their average; was it trained without one?")
            parameter.copy_(state[f"{name}{RAW}"])
