"""The inline executor: one Tune actor computes one run after the other, keeping its imports, data and backbones warm."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ray import tune

from orchestrator.runs import RunRequest

if TYPE_CHECKING:
    from orchestrator.computing.progress import Progress


class InlineRun(tune.Trainable):  # type: ignore[misc]  # ray has no types
    """A Tune trainable whose every step is one report of the run; the ledger keeps the state, Tune none."""

    _progress: "Iterator[Progress]"

    def setup(self, config: dict[str, Any]) -> None:
        """Starts the run that `config` holds."""
        from orchestrator.computing.worker import Claim, Placement, compute_run  # noqa: PLC0415  (brings torch, which the driver does not need)

        request = RunRequest.from_json(json.loads(config["request"]))
        placement = Placement(gpus=request.gpus_per_worker, cpus=request.cpus_per_worker)
        self._progress = compute_run(request, config["root"], placement, Claim(config["token"], config["attempt"]))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes the next run without a new process."""
        self._progress.close()  # type: ignore[attr-defined]
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Trains until the next report."""
        progress = next(self._progress)
        return progress.to_report()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Saves nothing: the ledger has the state."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Loads nothing: a restarted run reads the ledger."""

    def cleanup(self) -> None:
        """Lets a stopped run write down where it is."""
        self._progress.close()  # type: ignore[attr-defined]
