"""Peak memory of one side of a figure: `python -m benchmarks.memory FIGURE ours|reference` prints bytes.

On a CPU a side runs once in a process of its own, and what counts is how far the process grew beyond its inputs: Linux
keeps the highest resident size and lets a process reset it. On a GPU the allocator of torch is asked.
"""

import ctypes
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.figures import Comparison, Computation, Figure, Setting

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
RESET_HIGHEST = "5"


def _resident(field: str) -> int:
    """Returns a size of this process in bytes: `VmRSS` now, `VmHWM` at its highest."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def _process_peak(computation: Computation) -> int:
    ctypes.CDLL(None).malloc_trim(0)
    RESET.write_text(RESET_HIGHEST)
    before = _resident("VmRSS")
    computation()
    return _resident("VmHWM") - before


def _cuda_peak(computation: Computation, device: torch.device) -> int:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    computation()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _side(comparison: Comparison, side: str) -> Computation | None:
    return comparison.ours if side == "ours" else comparison.reference


def _in_own_process(figure: Figure, side: str, setting: Setting) -> int | None:
    command = [sys.executable, "-m", "benchmarks.memory", figure.name, side, *(["--quick"] if setting.quick else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    return int(done.stdout)


def peak_bytes(figure: Figure, comparison: Comparison, side: str, setting: Setting) -> int | None:
    """Returns by how much memory grew at its peak during one call; None where it cannot be measured.

    Args:
        figure: The figure.
        comparison: Its two sides, built on the device; on a CPU the other process builds its own.
        side: `ours` or `reference`.
        setting: Sizes and device.
    """
    computation = _side(comparison, side)
    if not figure.memory or computation is None:
        return None
    if setting.device.type == "cuda":
        return _cuda_peak(computation, setting.device)
    return _in_own_process(figure, side, setting) if RESET.exists() else None


def main(arguments: list[str]) -> None:
    """Measures one side in this process and prints bytes."""
    from benchmarks.registry import figure_called  # noqa: PLC0415 (the registry imports what it lists)

    name, side, *rest = arguments
    setting = Setting(quick="--quick" in rest)
    computation = _side(figure_called(name).build(setting), side)
    if computation is not None:
        sys.stdout.write(f"{_process_peak(computation)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
