"""Adam [Kingma and Ba, 2015] by torch's fused kernel, without torch's optimizer class.

The numbers are those of `torch.optim.Adam(fused=True)` to the bit. The class itself imports torch's compiler as soon as it is made,
half of the processor time in which a training's process starts, and a sweep starts many.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

_EPSILON = 1e-8


class Adam:
    """Adam without weight decay.

    Attributes:
        param_groups: Mappings with `params`, `lr` and `betas`; rates may be changed between steps.
        state: `step`, `exp_avg` and `exp_avg_sq` of every parameter that had a gradient.

    Args:
        groups: Mappings with `params`.
        lr: Learning rate of groups that have none.
        betas: Decay rates of groups that have none.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        self.param_groups: list[dict[str, Any]] = [{"lr": lr, "betas": betas, **group} for group in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Moves every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if moved:
                self._move(moved, group["lr"], group["betas"])

    def _move(self, parameters: Sequence[Tensor], rate: float, betas: tuple[float, float]) -> None:
        states = [self._state(parameter) for parameter in parameters]
        adam(
            list(parameters),
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=betas[0],
            beta2=betas[1],
            lr=rate,
            weight_decay=0.0,
            eps=_EPSILON,
            maximize=False,
        )

    def _state(self, parameter: Tensor) -> dict[str, Tensor]:
        if parameter not in self.state:
            moments = {name: torch.zeros_like(parameter, memory_format=torch.preserve_format) for name in ("exp_avg", "exp_avg_sq")}
            self.state[parameter] = {"step": torch.zeros((), device=parameter.device), **moments}
        return self.state[parameter]
