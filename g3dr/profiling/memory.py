"""How much memory there is in use: of the GPU where one computes, else of this process."""

import sys
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # what Linux wants to hear, see its proc(5)


def reset_peak(device: torch.device) -> None:
    """Forgets the highest use of memory so far, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        with suppress(OSError):  # some containers forbid it; the peak is then that since the start
            (_PROCESS / "clear_refs").write_text(_RESET_PEAK)


def peak_bytes(device: torch.device) -> int | None:
    """Returns the highest use since `reset_peak`; None where the system does not tell."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _status("VmHWM")


def current_bytes(device: torch.device) -> int | None:
    """Returns what is in use now; None where the system does not tell."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else _status("VmRSS")


def _status(field: str) -> int | None:
    if sys.platform != "linux":
        return None
    lines = (_PROCESS / "status").read_text().splitlines()
    kilobytes = next((line.split()[1] for line in lines if line.startswith(f"{field}:")), None)
    return None if kilobytes is None else int(kilobytes) * 1024


def parameter_bytes(module: nn.Module, *, trained_only: bool = False) -> int:
    """Returns the size of a module's parameters."""
    counted = [parameter for parameter in module.parameters() if parameter.requires_grad or not trained_only]
    return sum(parameter.numel() * parameter.element_size() for parameter in counted)
