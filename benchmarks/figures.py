"""What a benchmark is: two ways to compute the same thing, which are timed in turns and compared.

A file of this package holds the figures of one subject; `registry.py` lists them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

Result = Mapping[str, Tensor]
Computation = Callable[[], Result]


@dataclass(frozen=True)
class Setting:
    """Where and at which size figures are measured.

    Attributes:
        device: Where both sides compute.
        quick: Sizes that take seconds, to see that everything runs; their ratios mean nothing.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    quick: bool = False

    def size(self, full: int, quick: int) -> int:
        """Returns the number for this setting."""
        return quick if self.quick else full


def largest_difference(ours: Result, reference: Result) -> float:
    """Returns the largest difference of any result, as a fraction of the largest magnitude of the reference's result.

    Raises:
        ValueError: The two sides did not compute the same things.
    """
    if ours.keys() != reference.keys() or not ours:
        raise ValueError(f"the sides of a benchmark must return the same names, got {sorted(ours)} and {sorted(reference)}")
    return max(_relative(ours[name].detach().float(), reference[name].detach().float()) for name in ours)


def _relative(ours: Tensor, reference: Tensor) -> float:
    return float((ours - reference).abs().max() / reference.abs().max().clamp(min=torch.finfo(torch.float32).tiny))


def rms_difference(ours: Result, reference: Result) -> float:
    """Returns the largest root mean square difference of any result, as a fraction of the reference's root mean square."""
    pairs = [(ours[name].detach().float(), reference[name].detach().float()) for name in reference]
    return max(float((one - other).square().mean().sqrt() / other.square().mean().sqrt()) for one, other in pairs)


@dataclass(frozen=True)
class Comparison:
    """The two sides of a figure, ready to be called many times.

    Attributes:
        ours: This code.
        reference: The baseline; None for a figure that has none, only a rate.
        difference: How far apart the results are.
        items: Images (or frames) that one call makes: the rate is items by seconds.
        details: Asked when all is measured, for more that is worth knowing, by name.
    """

    ours: Computation
    reference: Computation | None = None
    difference: Callable[[Result, Result], float] = largest_difference
    items: int = 1
    details: Callable[[], Mapping[str, float]] = dict


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: As in `build/bench.json`.
        meaning: What is computed, at which size, and against what.
        build: Makes the inputs and both sides; called once per process.
        memory: Whether peak memory is measured too; each side then also runs once in a process of its own.
        cuda_only: Too large for anything but a GPU.
    """

    name: str
    meaning: str
    build: Callable[[Setting], Comparison]
    memory: bool = False
    cuda_only: bool = False
