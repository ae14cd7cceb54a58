"""Where a training computes: the one place that decides."""

import torch

from g3dr.config import DeviceChoice
from g3dr.errors import ConfigError


def choose_device(choice: DeviceChoice = "auto", gpus: float | None = None) -> torch.device:
    """Returns the device to compute on.

    Args:
        choice: `auto` is a CUDA GPU where there is one to use, else the CPU. `mps`, the GPU of an Apple computer, is only taken
            by its name, because nobody reserves it: several processes would share it.
        gpus: How many GPUs this process may use; None for all there are.

    Raises:
        ConfigError: The device is not there, or GPUs are reserved that torch cannot use.
    """
    if choice == "mps":
        _require(torch.backends.mps.is_available(), choice, "torch finds no Apple GPU here")
        return torch.device("mps")
    has_cuda = torch.cuda.is_available()
    if choice == "cuda":
        _require(has_cuda, choice, "torch finds no CUDA GPU here")
        _require(gpus is None or gpus > 0, choice, "no GPU is reserved for the run: set resources.gpus_per_worker")
        return torch.device("cuda")
    if choice == "auto" and gpus and not has_cuda:
        raise ConfigError("resources.gpus_per_worker", gpus, "0 on this machine", "torch finds no CUDA GPU here")
    return torch.device("cuda" if choice == "auto" and has_cuda and gpus != 0 else "cpu")


def _require(is_there: object, choice: DeviceChoice, reason: str) -> None:
    if not is_there:
        raise ConfigError("resources.device", choice, "auto or cpu", reason)
