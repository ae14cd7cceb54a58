"""Recognises that a device or the machine had too little memory for a training step."""

import torch

from g3dr.errors import MemoryExceededError
from g3dr.types import Batch

HINT = "set training.accumulation higher or training.activation_checkpointing on, which change no result, or use a larger machine"
_CPU_WORDS = ("can't allocate memory", "not enough memory", "Cannot allocate memory")


def is_memory_error(error: Exception) -> bool:
    """Tells whether an error means too little memory: PyTorch raises a plain RuntimeError where it is the machine's."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_WORDS)


def memory_error(error: Exception, step: int, batch: Batch) -> MemoryExceededError:
    """Returns what is told of it: the step, the shape of the batch, its images and what helps."""
    shape = " x ".join(str(size) for size in batch.images.shape)
    first = next(iter(str(error).splitlines()), type(error).__name__)
    return MemoryExceededError(f"out of memory in step {step} with images of {shape} ({first}); {HINT}", batch.keys)
