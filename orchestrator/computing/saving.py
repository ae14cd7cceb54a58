"""Writes checkpoints while training goes on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Self

from torch import Tensor

from g3dr.training.checkpoint import Checkpoint


class CheckpointSaver:
    """One thread that writes one checkpoint at a time; training waits only where the one before is not written yet.

    A process that is killed while one is being written goes on from the one before it. Costs the memory of one more copy of
    the model and of its optimizer's state. What goes wrong is raised by the next call.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._thread.shutdown(wait=True)

    def save(self, checkpoint: Checkpoint, write: Callable[[Checkpoint], None]) -> None:
        """Copies a checkpoint and has it written.

        Args:
            checkpoint: The state now; may change as soon as this returns.
            write: Writes it; called in another thread, after all earlier ones.
        """
        self.wait()
        self._last = self._thread.submit(write, copied(checkpoint))

    def wait(self) -> None:
        """Waits until everything is written; raises what went wrong."""
        last, self._last = self._last, None
        if last is not None:
            last.result()


def copied(checkpoint: Checkpoint) -> Checkpoint:
    """Returns a checkpoint that further training does not change, on the CPU."""
    return replace(checkpoint, model=_copies(checkpoint.model), optimizer=_copies(checkpoint.optimizer))


def _copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
