"""Averages of what steps report, over the steps since the last report."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from g3dr.errors import NonFiniteLossError


def _widened(value: Tensor) -> Tensor:
    """Sums in float64, except on Apple GPUs, which know no such numbers."""
    return value.float() if value.device.type == "mps" else value.double()


@dataclass(frozen=True)
class _Step:
    """One step: its number, the images of this worker's batch, and whether all its terms are finite."""

    number: int
    keys: Sequence[str]
    is_finite: Tensor


class Window:
    """Sums the terms of several steps; a term that only some steps have is averaged over those.

    Sums stay on the device until they are read, so that a GPU is not made to wait at every step.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._steps: list[_Step] = []

    def add(self, terms: dict[str, Tensor], step: int = 0, keys: Sequence[str] = ()) -> None:
        """Adds one step's terms (scalars).

        Args:
            terms: By name.
            step: The step's number, for the error.
            keys: The images of the batch, for the error.
        """
        for name, value in terms.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else _widened(value)
            self._counts[name] = self._counts.get(name, 0) + 1
        if terms:
            self._steps.append(_Step(step, keys, torch.isfinite(torch.stack(list(terms.values()))).all()))

    def close(self, step: int) -> dict[str, float]:
        """Returns the averages and forgets them; averages over workers if there are several.

        Raises:
            NonFiniteLossError: A term is NaN or infinite; names the terms, the step and the images of its batch.
        """
        if not self._sums:
            return {}
        names = sorted(self._sums)
        values = torch.stack([self._sums[name] / self._counts[name] for name in names])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(values)
            values = values / torch.distributed.get_world_size()
        steps, self._sums, self._counts, self._steps = self._steps, {}, {}, []
        averages = dict(zip(names, values.tolist(), strict=True))
        broken = [name for name in names if not torch.isfinite(torch.tensor(averages[name]))]
        if broken:
            raise _error(broken, steps, step)
        return averages


def _error(broken: list[str], steps: list[_Step], last: int) -> NonFiniteLossError:
    first = next((step for step in steps if not step.is_finite), None)
    where = f"in step {first.number}" if first and first.number else f"at or before step {last}"
    sentence = f"{', '.join(broken)} is not finite {where}: lower the learning rate or set training.gradient_clip"
    return NonFiniteLossError(sentence, first.keys if first else ())
