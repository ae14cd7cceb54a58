"""What kind of machine this is: its GPU where one is used, else its processor; steps per second compare only within a kind."""

import platform
import subprocess
from functools import cache
from pathlib import Path

_GPUS = Path("/proc/driver/nvidia/gpus")
_PROCESSOR = Path("/proc/cpuinfo")


def machine_kind(gpus: float = 0.0) -> str:
    """Returns the name of what computes, without bringing torch.

    Args:
        gpus: GPUs that a worker holds; 0 asks for the processor.
    """
    return _gpu() if gpus > 0 else _processor()


@cache
def _gpu() -> str:
    for file in sorted(_GPUS.glob("*/information")):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        names = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        names = []
    return names[0].strip() if names else "GPU"


@cache
def _processor() -> str:
    try:
        lines = _PROCESSOR.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
