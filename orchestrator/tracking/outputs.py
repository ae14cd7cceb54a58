"""What a worker calls for a run's log and its trackers."""

import logging
import time
from collections.abc import Mapping
from typing import Self

from orchestrator.ledger import Ledger
from orchestrator.running.snapshot import finite
from orchestrator.runs import RunRequest
from orchestrator.tracking import mlflow_run
from orchestrator.tracking.background import Background
from orchestrator.tracking.mlflow_run import MlflowRun
from orchestrator.tracking.run_log import RunLog
from orchestrator.tracking.tensorboard import TensorBoardParts

PATIENCE_SECONDS = 20.0
"""How long the end of a run waits for what is still to be written."""

_LINE_SECONDS = 10.0
_SHOWN = 8


class RunOutputs:
    """The log and the trackers of one attempt at a run; a context around the attempt.

    Everything is written in the background: no call takes more than a fraction of a millisecond, and a store or a server that is away
    neither delays nor fails the run, and is warned about once.

    Args:
        ledger: Where the run is kept.
        request: The run.
        attempt: Its number, from 1.
        rank: Number of the worker: the first one writes everything, the others only a log, and that only if something is amiss.
    """

    def __init__(self, ledger: Ledger, request: RunRequest, attempt: int = 1, rank: int = 0) -> None:
        run = request.spec.id
        self._ledger, self._run = ledger, run
        self._files, self._server = Background("the run's log or TensorBoard's files"), Background("MLflow's record of the run")
        self._log = RunLog(ledger.store, run, attempt, rank, self._files)
        self._trackers: list[TensorBoardParts | MlflowRun] = []
        if rank == 0:
            self._trackers.append(TensorBoardParts(ledger.store, run, self._files))
        if rank == 0 and mlflow_run.is_configured():
            self._trackers.append(MlflowRun(request, self._server))
        self._line, self._step, self._ended = float("-inf"), 0, False
        self._log.say(f"run {run}: {request.label} of stage {request.stage}")

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self._log)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        logging.getLogger().removeHandler(self._log)
        if error is not None and not isinstance(error, GeneratorExit):
            self._log.uncaught(error)
        elif not self._ended:
            self._log.say(f"left at step {self._step}, before the end")
        self._log.save()
        self._files.close(PATIENCE_SECONDS)
        self._server.close(PATIENCE_SECONDS)

    def resumed(self, step: int) -> None:
        """Goes on after a checkpoint: what was written about later steps is taken back, what is missing about earlier ones made up for.

        Args:
            step: Steps that the checkpoint holds, more than 0.
        """
        self._step = step
        self._log.say(f"continues from the checkpoint of step {step}")
        rows = self._ledger.metrics(self._run)
        for tracker in self._trackers:
            tracker.resume(step, rows)

    def scalars(self, step: int, metrics: Mapping[str, float], group: str = "") -> None:
        """Takes the numbers of a step.

        Args:
            step: Steps that are done.
            metrics: By name; what is not finite is left out.
            group: Other numbers than those of the training, such as `evaluation`.
        """
        self._step = step
        numbers = {name: value for name, value in finite(metrics).items() if name != "step"}
        if not numbers:
            return
        for tracker in self._trackers:
            tracker.add(step, numbers, group)
        if group or time.monotonic() - self._line >= _LINE_SECONDS:
            self._line = time.monotonic()
            shown = ", ".join(f"{name} {value:.4g}" for name, value in list(numbers.items())[:_SHOWN])
            self._log.say(f"{group} at step {step}: {shown}" if group else f"step {step}: {shown}")

    def checkpoint(self, step: int) -> None:
        """Has everything written that leads to a checkpoint; to be called when the checkpoint is in the store.

        Numbers after the last checkpoint are not written: a continued run computes them again.
        """
        self._save(step)

    def ended(self, state: str, error: str | None = None) -> None:
        """Notes how the run ended, and has everything written: a process may be ended without leaving the context.

        Args:
            state: As in its status.
            error: One sentence, if it failed.
        """
        self._ended = True
        self._log.say(f"{state} at step {self._step}" + (f": {error}" if error else ""))
        self._save(self._step)
        for tracker in self._trackers:
            if isinstance(tracker, MlflowRun):
                tracker.end(state)

    def _save(self, step: int) -> None:
        for tracker in self._trackers:
            tracker.save(step)
        self._log.save()
