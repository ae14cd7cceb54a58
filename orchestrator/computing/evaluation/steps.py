"""Measurements along a training: of every checkpoint at a step that is asked for, by whoever finds that it was not measured yet.

The ledger alone says what is missing, so a process beside the training, the training's own at its end, or one that runs the
experiment again may do it: what is measured of a checkpoint is the same.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from orchestrator.computing.evaluate import evaluator_for, step_metrics
from orchestrator.computing.evaluation.evaluator import Evaluator
from orchestrator.ledger import Ledger, evaluations
from orchestrator.ledger.evaluations import StepsRecord
from orchestrator.runs import RunRequest


@dataclass(frozen=True)
class StepPlan:
    """At which steps of a run something is measured.

    Attributes:
        request: The run; it asks for an evaluation every so many steps.
        ledger: Where it is.
    """

    request: RunRequest
    ledger: Ledger

    @property
    def every(self) -> int:
        """Steps between measurements; 0 for none."""
        request = self.request
        return (request.evaluate_every or 0) if request.evaluation is not None and request.spec.training.steps else 0

    def is_due(self, step: int) -> bool:
        """Tells whether the checkpoint of a step is measured."""
        return bool(self.every) and step % self.every == 0

    @property
    def _place(self) -> tuple[str, str]:
        return self.request.spec.id, self.request.measurement

    def measured(self) -> list[int]:
        """Returns the steps that were measured, ascending."""
        return evaluations.measured_steps(self.ledger.store, *self._place)

    def waiting(self) -> list[int]:
        """Returns the steps whose checkpoints are there and wait, ascending."""
        known = set(self.measured()) if self.every else set()
        steps = self.ledger.checkpoint_steps(self.request.spec.id) if self.every else []
        return [step for step in steps if self.is_due(step) and step not in known]

    def begin(self) -> None:
        """Writes down that measurements are made, for whoever looks after checkpoints."""
        before = evaluations.read_steps(self.ledger.store, *self._place)
        if before is None or before.every != self.every:
            evaluations.write_steps(self.ledger.store, *self._place, StepsRecord(self.every))

    def write(self, step: int, record: Mapping[str, Any]) -> None:
        """Writes what was measured of a step."""
        evaluations.write_step(self.ledger.store, *self._place, step, record)

    def end(self) -> StepsRecord:
        """Writes down that nothing is left to measure; returns what was measured and what was not."""
        last, measured = self.request.spec.training.steps, self.measured()
        left_out = [step for step in range(self.every, last + 1, self.every) if step not in measured]
        record = StepsRecord(self.every, finished=True, measured=measured, left_out=left_out)
        evaluations.write_steps(self.ledger.store, *self._place, record)
        return record


class StepMeasurer:
    """Measures what waits.

    Args:
        plan: At which steps.
        device: Where to compute.
    """

    def __init__(self, plan: StepPlan, device: torch.device) -> None:
        self._plan, self._device = plan, device

    @cached_property
    def evaluator(self) -> Evaluator:
        """What measures; its data is loaded once."""
        return evaluator_for(self._plan.request, self._plan.ledger, self._device)

    def measure_waiting(self, writing: Callable[[], AbstractContextManager[Any]] = nullcontext) -> None:
        """Measures one checkpoint after the other, the oldest first, until none waits.

        Args:
            writing: Entered around every write.
        """
        unreadable: set[int] = set()
        while waiting := [step for step in self._plan.waiting() if step not in unreadable]:
            record = self._measured(waiting[0])
            if record is None:
                unreadable.add(waiting[0])
                continue
            with writing():
                self._plan.write(waiting[0], record)

    def _measured(self, step: int) -> dict[str, Any] | None:
        """Returns the record of a step; None where its checkpoint went away meanwhile, or is damaged."""
        started = time.perf_counter()
        checkpoint = self._plan.ledger.read_step(self._plan.request.spec.id, step)
        if checkpoint is None:
            return None
        found = step_metrics(self._plan.request, checkpoint, self.evaluator)
        return step_record(step, found.images, found.views, found.metrics, time.perf_counter() - started)


def step_record(step: int, images: int, views: int, metrics: Mapping[str, float], seconds: float | None = None) -> dict[str, Any]:
    """Returns the JSON of a measured step; `seconds` is what it took, None where that is not known."""
    return {"step": step, "images": images, "views": views, "metrics": dict(metrics), "seconds": seconds}
