"""The decoder at samples by compiled loops: what `decoding.py` computes, on a CPU, where Numba is installed.

Work is cut into parts of fixed size, each sum is made in the order of the samples, and no two threads write to the same place:
results are the same bits whatever the number of threads.
"""

import importlib
import importlib.util
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from threadpoolctl import ThreadpoolController
from torch import Tensor

from g3dr.render.lookup import AllRows, Places

PART = 2**12  # samples of one task
HELD = 2**15  # samples whose hidden gradients are held until they are added to the rows: 8 MB of 64 channels
CHANNELS_AT_LEAST = 16  # one cache line: the smallest share of a row that a thread writes

Array = npt.NDArray[Any]
Values = Float[Tensor, "value batch sample"]
Weight = Float[Tensor, "value channel"]


@cache
def _installed() -> bool:
    return importlib.util.find_spec("numba") is not None and os.environ.get("NUMBA_DISABLE_JIT", "0") in {"", "0"}


def usable(values: Tensor) -> bool:
    """Returns whether the compiled form may stand in: float32 on a CPU, and Numba is installed and not switched off."""
    return _installed() and values.device.type == "cpu" and values.dtype == torch.float32


_threads: ContextVar[int | None] = ContextVar("threads of compiled loops", default=None)


def threads_at_most() -> int:
    """Returns on how many threads compiled loops run: as many as PyTorch uses, or would if `alone` did not keep it to one."""
    return _threads.get() or torch.get_num_threads()


@cache
def _openmp() -> ThreadpoolController:
    controller: ThreadpoolController = ThreadpoolController().select(user_api="openmp")
    return controller


@contextmanager
def alone(values: Tensor) -> Iterator[None]:
    """Keeps PyTorch's operations in this thread to one core where compiled loops take turns with them.

    OpenMP's threads wait for their next operation awake, for milliseconds, on the cores that the loops need.
    """
    if not usable(values) or torch.get_num_threads() == 1:
        yield
        return
    token = _threads.set(torch.get_num_threads())
    try:
        with _openmp().limit(limits=1):
            yield
    finally:
        _threads.reset(token)


def in_threads(task: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> None:
    """Calls `task` with all arguments, on several threads."""
    threads = min(threads_at_most(), len(calls))
    if threads <= 1:
        for arguments in calls:
            task(*arguments)
        return
    pool = _pool(os.getpid(), threads)
    for done in [pool.submit(task, *arguments) for arguments in calls]:
        done.result()


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:  # noqa: ARG001 (a forked process has none of its parent's threads)
    """Returns the threads of this process: starting some for every call costs as much as a small one."""
    return ThreadPoolExecutor(threads, thread_name_prefix="render")


def parts(begin: int, end: int, size: int) -> list[tuple[int, int]]:
    """Returns begin and end of parts of at most `size`."""
    return [(start, min(start + size, end)) for start in range(begin, end, size)]


def as_array(tensor: Tensor) -> Array:
    """Returns the values of a tensor, copied only if they do not lie side by side."""
    array: Array = tensor.detach().contiguous().numpy()
    return array


def _filled_up(values: Tensor) -> Array:
    """Returns an array whose first axis has zeros up to what the loops take at once."""
    missing = -len(values) % loops("kernels").LANES
    return as_array(torch.cat([values.detach(), values.new_zeros(missing, *values.shape[1:])]) if missing else values)


@dataclass(frozen=True)
class _Task:
    """What the loops read: see `kernels.py` for shapes."""

    rows: Array
    width: int
    weight: Array
    coordinates: Array
    pairs: Array
    side: int

    @classmethod
    def of(cls, rows: AllRows, weight: Weight, places: Places) -> "_Task":
        """Returns tensors as arrays; nothing is copied that is contiguous."""
        arrays = _filled_up(weight), as_array(places.coordinates), np.array(places.pairs)
        return cls(as_array(rows.flatten(1)), rows.shape[2], *arrays, places.side)


@cache
def loops(name: str) -> Any:
    """Returns a file of compiled loops; Numba is optional, and takes a second to load."""
    return importlib.import_module(f"g3dr.render.{name}")


def values(rows: AllRows, weight: Weight, bias: Float[Tensor, "value"], places: Places) -> Values:
    """As `decoding.stock_values`."""
    kernels, task = loops("kernels"), _Task.of(rows, weight, places)
    raw = np.empty((len(task.weight), *places.coordinates.shape[1:]), np.float32)
    common = task.rows, task.width, task.weight, _filled_up(bias), task.coordinates, task.pairs, places.side
    shares = parts(0, places.count, PART)
    in_threads(kernels.evaluate, [(*common, image, *share, raw) for image in range(len(rows)) for share in shares])
    return torch.from_numpy(raw[: len(weight)])


def gradients(rows: AllRows, weight: Weight, places: Places, gradient: Values) -> tuple[AllRows, Weight]:
    """As `decoding.stock_gradients`."""
    task, incoming = _Task.of(rows, weight, places), _filled_up(gradient)
    total, weight_total = np.zeros_like(task.rows), np.zeros(task.weight.shape)
    held = np.empty(min(HELD, places.count) * task.width, np.float32)
    for image in range(len(rows)):
        for begin, end in parts(0, places.count, HELD):
            weight_total += _hold_gradients(task, image, (begin, end), incoming, held)
            _add_held(task, image, (begin, end), held, total)
    return torch.from_numpy(total).reshape_as(rows), torch.from_numpy(weight_total[: len(weight)]).to(weight.dtype)


def _hold_gradients(task: "_Task", image: int, block: tuple[int, int], incoming: Array, held: Array) -> Array:
    """Writes the hidden layer's gradients of a block of samples to `held`; returns that of the second layer's weight."""
    shares = parts(*block, PART)
    sums = np.zeros((len(shares), *task.weight.shape), np.float32)
    common = task.rows, task.width, task.weight, task.coordinates, task.pairs, task.side, image
    calls = [(*common, *share, incoming, held, share[0] - block[0], own) for share, own in zip(shares, sums, strict=True)]
    in_threads(loops("kernels").hidden_gradient, calls)
    total: Array = sums.sum(axis=0, dtype=np.float64)
    return total


def _add_held(task: "_Task", image: int, block: tuple[int, int], held: Array, total: Array) -> None:
    """Adds the gradients of a block of samples to the rows: each thread to its own channels of one plane."""
    common = task.coordinates, task.pairs, task.side
    shares = itertools.product(_channel_parts(task.width), range(len(task.pairs)))
    calls = [(total, task.width, channels, *common, plane, image, *block, held) for channels, plane in shares]
    in_threads(loops("kernels").add_to_rows, calls)


def _channel_parts(channels: int) -> list[tuple[int, int]]:
    """Returns the shares of a row that threads write, one each if there are enough channels."""
    groups = max(1, min(threads_at_most(), channels // CHANNELS_AT_LEAST))
    borders = [channels * group // groups for group in range(groups + 1)]
    return list(itertools.pairwise(borders))
