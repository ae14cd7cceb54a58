"""Passes Tune's news on to a `Watch`, and keeps Tune itself quiet."""

import json
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.progress_reporter import TrialProgressCallback

from orchestrator.running.watching import Watch


class ProgressNews(TrialProgressCallback):  # type: ignore[misc]  # ray has no types
    """Passes reports on; where one of its kind is given, Tune adds none that prints."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks into a file that nobody reads back; a terminal cannot be pickled."""
        return {}

    def on_trial_result(self, *, trial: Trial, result: dict[str, Any], **_: object) -> None:  # noqa: ARG002  (Tune's signature)
        """A run reported."""
        if "metrics" in result:
            label, step = str(result["label"]), int(result["step"])
            if result.get("advance"):
                self._watch.steps_done(label, step, int(result["advance"]))
            if result.get("kind"):
                self._watch.run_mishap(label, str(result["kind"]), final=True)
            self._watch.run_progress(label, step, int(result["steps"]), json.loads(result["metrics"]))

    def on_trial_error(self, **_: object) -> None:
        """The queue tells of it."""

    def on_trial_complete(self, **_: object) -> None:
        """The queue tells of it."""


class Silence(tune.ProgressReporter):  # type: ignore[misc]  # ray has no types
    """Reports nothing; Tune's own clears what others have printed, in a notebook, whatever its verbosity."""

    def should_report(self, trials: list[Trial], done: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002  (Tune's signature)
        """Never."""
        return False

    def report(self, trials: list[Trial], done: bool, *sys_info: str) -> None:  # noqa: FBT001  (Tune's signature)
        """Is not called."""
