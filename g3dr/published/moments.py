"""Adam's moments between torch's numbering of parameters and their names."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from g3dr.published.shapes import Shape

KINDS = ("exp_avg", "exp_avg_sq")


def moments_by_name(state: Mapping[str, Any], shapes: Mapping[str, Shape]) -> tuple[dict[str, Tensor], str]:
    """Returns Adam's moments by parameter name, or none and the reason in words.

    torch numbers parameters in the order in which the optimizer got them. Numbers become names only where they must mean the
    parameters in their own order: one group of as many parameters as the model has, every moment of its parameter's shape.

    Args:
        state: What `optimizer.state_dict()` returned.
        shapes: Shape of every parameter by name, in the model's order.
    """
    groups, entries = state.get("param_groups"), state.get("state")
    if not isinstance(groups, Sequence) or not isinstance(entries, Mapping) or not entries:
        return {}, "it has no moments"
    if len(groups) != 1 or not isinstance(groups[0], Mapping) or list(groups[0].get("params", ())) != list(range(len(shapes))):
        return {}, "it does not number the model's parameters in one group in their order"
    moments = {}
    for index, (name, shape) in enumerate(shapes.items()):
        for kind in KINDS if index in entries else ():
            tensor = entries[index].get(kind)
            if not isinstance(tensor, Tensor) or tuple(tensor.shape) != shape:
                return {}, f"its {kind} number {index} does not have the shape of {name}"
            moments[f"{name}.{kind}"] = tensor.float()
    return moments, ""


def numbered(moments: Mapping[str, Tensor], shapes: Mapping[str, Shape], step: int) -> dict[int, dict[str, Tensor]]:
    """Returns torch's numbered state of the parameters that have moments; the inverse of `moments_by_name`."""
    return {
        index: {"step": torch.tensor(float(step)), **{kind: moments[f"{name}.{kind}"] for kind in KINDS}}
        for index, name in enumerate(shapes)
        if all(f"{name}.{kind}" in moments for kind in KINDS)
    }
