"""Reads weights files as tensors only: a pickle with anything else in it is refused, never run."""

from pathlib import Path

import torch
from torch import Tensor

from g3dr.errors import CheckpointError


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Returns the named tensors of a file that torch saved, on the CPU.

    Raises:
        CheckpointError: The file is damaged, or holds something else than named tensors.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's restricted reader fails in many ways on bytes that are no pickle
        raise CheckpointError(f"{path} is damaged or holds more than tensors, which is not read from a weights file.") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path} does not hold a dictionary of named tensors.")
    return state
