"""In which precision the generator computes its products. Norms, planes and rendering are in float32 in any case."""

from contextlib import AbstractContextManager, nullcontext

import torch

from g3dr.config import Precision
from g3dr.errors import ConfigError

_MATRIX_UNITS = ("amx_bf16", "sve_bf16")  # what makes bfloat16 faster than float32 on a CPU; AVX-512 BF16 alone does not


def computes_bfloat16_fast(device: torch.device | str) -> bool:
    """Returns whether bfloat16 is worth its rounding on a device: on GPUs, and on CPUs with matrix units."""
    if torch.device(device).type != "cpu":
        return True
    known = getattr(torch.cpu, "get_capabilities", None)  # since PyTorch 2.10
    return known is not None and any(known().get(name, False) for name in _MATRIX_UNITS)


def inference_autocast(device: torch.device | str, precision: Precision | None) -> AbstractContextManager[object]:
    """Returns the context in which the generator encodes images.

    Args:
        device: Where it computes.
        precision: `float32`; `bfloat16`, which means float32 on a CPU where that is faster; or None for what autocast
            around the call says.

    Raises:
        ConfigError: There is no such precision.
    """
    if precision is None:
        return nullcontext()
    if precision not in ("float32", "bfloat16"):
        raise ConfigError("precision", precision, "float32 or bfloat16")
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16" and computes_bfloat16_fast(device))
