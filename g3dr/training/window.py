"""Averages of what steps report, over the steps since the last report."""

import torch
from torch import Tensor

from g3dr.errors import NonFiniteLossError


def _widened(value: Tensor) -> Tensor:
    """Sums in float64, except on Apple GPUs, which know no such numbers."""
    return value.float() if value.device.type == "mps" else value.double()


class Window:
    """Sums the terms of several steps; a term that only some steps have is averaged over those.

    Sums stay on the device until they are read, so that a GPU is not made to wait at every step.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: dict[str, Tensor]) -> None:
        """Adds one step's terms (scalars)."""
        for name, value in terms.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else _widened(value)
            self._counts[name] = self._counts.get(name, 0) + 1

    def close(self, step: int) -> dict[str, float]:
        """Returns the averages and forgets them; averages over workers if there are several.

        Raises:
            NonFiniteLossError: A term is NaN or infinite; names the terms and the step.
        """
        if not self._sums:
            return {}
        names = sorted(self._sums)
        values = torch.stack([self._sums[name] / self._counts[name] for name in names])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(values)
            values = values / torch.distributed.get_world_size()
        self._sums, self._counts = {}, {}
        averages = dict(zip(names, values.tolist(), strict=True))
        broken = [name for name in names if not torch.isfinite(torch.tensor(averages[name]))]
        if broken:
            raise NonFiniteLossError(
                f"{', '.join(broken)} is not finite at or before step {step}: lower the learning rate or set training.gradient_clip"
            )
        return averages
