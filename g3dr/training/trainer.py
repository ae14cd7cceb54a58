"""Trains G3DR step by step. Who feeds the batches, and where checkpoints go, is the caller's business."""

from dataclasses import replace
from typing import Any

from g3dr.config import ObjectiveConfig, TrainingConfig
from g3dr.errors import ConfigError
from g3dr.losses import Objective
from g3dr.losses.targets import image_digests
from g3dr.model import G3DR, SEMANTIC_PREFIX
from g3dr.training.checkpoint import Checkpoint
from g3dr.training.optimization import ALONE, Optimization, Place
from g3dr.training.step import TrainingStep
from g3dr.types import Batch


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


class Trainer(Optimization):
    """Holds a G3DR model, its optimizer and the number of steps done.

    Args:
        model: The model to train, on the device of `place`.
        objective: The losses.
        config: The training's settings.
        seed: Seeds all chance of the training.
        place: Where this worker trains, and with whom.

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
        place: Place = ALONE,
    ) -> None:
        self.model, self._objective = model, objective
        _check_semantics(model, objective.config)
        freeze(model, config, objective.config)
        model.recompute = config.activation_checkpointing
        super().__init__(model, TrainingStep(model, objective, config), _groups(model, config), config, seed=seed, place=place)

    def _prepared(self, batch: Batch) -> Batch:
        """Names the images before they travel to the device, if features of them are kept."""
        store = self._objective.store
        return batch if store is None or store.is_useless else replace(batch, digests=image_digests(batch.images))

    def checkpoint(self) -> Checkpoint:
        """Returns the state after the steps done so far."""
        return replace(super().checkpoint(), config=self.model.config)
