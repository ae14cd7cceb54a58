"""What a worker calls for the measurements along its training."""

import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import torch

from orchestrator.computing.beside import Beside
from orchestrator.computing.evaluation.steps import StepMeasurer, StepPlan, step_record
from orchestrator.ledger import Ledger
from orchestrator.ledger.evaluations import MOST_WAITING
from orchestrator.runs import RunRequest

logger = logging.getLogger(__name__)


class AlongTraining:
    """Has checkpoints measured in a process beside the training, and the rest at its end; a context around an attempt at a run.

    Does nothing where the run asks for no measurements along the way.

    Args:
        request: The run.
        ledger: Where it is.
        device: Tells where it computes; asked when that is needed.
        rank: Number of the worker; the first one does this.
    """

    def __init__(self, request: RunRequest, ledger: Ledger, device: Callable[[], torch.device], rank: int = 0) -> None:
        self._plan, self._device, self._is_first = StepPlan(request, ledger), device, rank == 0
        self._beside = Beside(lambda: {"root": ledger.store.uri, "request": request.to_json(), "device": str(device())})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._beside.end()

    @property
    def _is_active(self) -> bool:
        return self._is_first and self._plan.every > 0

    def is_due(self, step: int) -> bool:
        """Tells whether a step gets a checkpoint to be measured; every worker says the same."""
        return self._plan.is_due(step)

    def begin(self) -> None:
        """Says in the ledger that measurements are made, and has those made that an earlier attempt has left."""
        if self._is_active:
            self._plan.begin()
            if self._plan.waiting():
                self._beside.look()

    def waiting(self) -> list[int]:
        """Returns the steps of the checkpoints that have to stay for their measurement."""
        return self._plan.waiting()[-MOST_WAITING:] if self._is_active else []

    def saved(self, step: int) -> None:
        """Takes notice of a checkpoint that was written."""
        if self._is_active and self.is_due(step):
            self._beside.look()

    def finish(self, record: Mapping[str, Any], token: str | None = None) -> None:
        """Measures what still waits, here and with all cores, and writes down what was measured and what was not.

        Args:
            record: The run's evaluation, whose numbers are those of the last step.
            token: Of the run's lease; None where nobody else can be at work.

        Raises:
            LeaseLostError: The run was taken over by another process.
        """
        if not self._is_active:
            return
        self._beside.end()
        last = self._plan.request.spec.training.steps
        if last not in self._plan.measured():
            self._plan.write(last, step_record(last, record["images"], record["views"], record["metrics"]))
        StepMeasurer(self._plan, self._device()).measure_waiting()
        found = self._plan.end()
        self._plan.ledger.keep_newest(self._plan.request.spec.id, self._plan.request.kept_checkpoints, token)
        if found.left_out:
            steps = ", ".join(map(str, found.left_out))
            logger.warning("run %s: not measured at step %s, whose checkpoints are gone", self._plan.request.spec.id, steps)
