"""One training step, its schedules, its chance and its state."""

from g3dr.training.chance import StepChance
from g3dr.training.checkpoint import CheckpointFiles, read_checkpoint, write_checkpoint
from g3dr.training.step import TrainingStep
from g3dr.training.trainer import Trainer

__all__ = ["CheckpointFiles", "StepChance", "Trainer", "TrainingStep", "read_checkpoint", "write_checkpoint"]
