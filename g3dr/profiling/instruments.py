"""Marks in a training step: a stopwatch, boundaries that the gradient passes, and a count of what is kept for the way back."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class Cost:
    """What one part of a step takes.

    Attributes:
        forward: Seconds on the way forward.
        backward: Seconds on the way back.
        kept: Bytes that the forward pass keeps for the backward pass.
    """

    forward: float = 0.0
    backward: float = 0.0
    kept: int = 0

    @property
    def seconds(self) -> float:
        """Both ways."""
        return self.forward + self.backward


class Stopwatch:
    """Adds the time since its last mark to a part of the step; does nothing while it is not running.

    Args:
        device: Whose work is waited for at every mark.
    """

    def __init__(self, device: torch.device) -> None:
        self.parts: dict[str, Cost] = {}
        self.is_running = False
        self._device, self._since = device, 0.0
        self._way_back: str | None = None
        self._kept, self._seen = 0, set[int]()

    def start(self) -> None:
        """Starts to count, from zero."""
        self.parts, self.is_running, self._way_back = {}, True, None
        self._since = self.now()

    def stop(self) -> dict[str, Cost]:
        """Returns the costs by name, in the order of their first mark."""
        self.is_running = False
        return self.parts

    def forward(self, name: str) -> None:
        """Ends a part of the way forward."""
        if self.is_running:
            cost = self._cost(name)
            cost.forward += self._lap()
            cost.kept, self._kept = cost.kept + self._kept, 0

    def backward(self, name: str | None) -> None:
        """Begins a part of the way back, which ends the one before; None ends the last."""
        if not self.is_running:
            return
        ended = self._way_back or name
        if ended is not None:
            self._cost(ended).backward += self._lap()
        self._way_back = name

    def counting(self, ignored: set[int]) -> AbstractContextManager[None]:
        """Counts the bytes that autograd keeps for the way back, except tensors at the addresses `ignored`."""
        self._kept, self._seen = 0, set(ignored)
        return torch.autograd.graph.saved_tensors_hooks(self._count, lambda tensor: tensor)

    def now(self) -> float:
        """Returns the time, seconds, when the device has done what it was told."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        elif self._device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    def _cost(self, name: str) -> Cost:
        return self.parts.setdefault(name, Cost())

    def _count(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self._kept += storage.nbytes()
        return tensor

    def _lap(self) -> float:
        before, self._since = self._since, self.now()
        return self._since - before


class Boundary(torch.autograd.Function):
    """The identity; tells when the gradients of all its outputs are known."""

    @staticmethod
    def forward(ctx: Any, reached: Callable[[], None], *values: Tensor) -> tuple[Tensor, ...]:
        """Returns `values`."""
        ctx.reached = reached
        return tuple(value.view_as(value) for value in values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Tells, and passes the gradients on."""
        ctx.reached()
        return (None, *gradients)


def bounded(reached: Callable[[], None], *values: Tensor) -> tuple[Tensor, ...]:
    """Puts a boundary behind tensors."""
    passed: tuple[Tensor, ...] = Boundary.apply(reached, *values)
    return passed
