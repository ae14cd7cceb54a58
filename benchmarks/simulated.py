"""A run that only sleeps, but keeps its ledger, its log and its trackers like any other: what is left is orchestration."""

import json
import math
import time
from collections.abc import Iterator
from typing import Any

from orchestrator.computing.claim import Claim
from orchestrator.computing.progress import Progress
from orchestrator.executors.inline import InlineRun
from orchestrator.ledger import Ledger, RunStatus
from orchestrator.runs import RunRequest
from orchestrator.store import open_store
from orchestrator.tracking import RunOutputs


class SimulatedRun(InlineRun):
    """Sleeps for as many milliseconds as the run has steps."""

    def setup(self, config: dict[str, Any]) -> None:
        """Starts the run that `config` holds."""
        request = RunRequest.from_json(json.loads(config["request"]))
        self._progress = simulate(request, Ledger(open_store(config["root"])), Claim(config["token"], config["attempt"]))


def simulate(request: RunRequest, ledger: Ledger, claim: Claim) -> Iterator[Progress]:
    """Computes nothing of a run, and writes down all of it."""
    run, steps = request.spec.id, request.spec.training.steps
    with RunOutputs(ledger, request, claim.attempt + 1) as outputs:
        ledger.write_spec(run, request.spec.to_json())
        ledger.set_status(run, RunStatus("running"), claim.token)
        time.sleep(steps / 1000)
        error = abs(math.log10(request.spec.training.learning_rate) + 3)
        metrics = {"depth_rmse": error, "loss": error}
        outputs.scalars(steps, metrics)
        ledger.write_metrics(run, steps, [{"step": steps, **metrics}], claim.token)
        ledger.set_status(run, RunStatus("finished", steps, steps / 1000, 0.001), claim.token)
        if request.evaluation is not None:
            ledger.write_evaluation(run, request.evaluation.id, {"metrics": metrics}, b"")
        outputs.ended("finished")
        yield Progress(request.label, run, "finished", steps, steps, metrics)
