"""What a run reports while it is computed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.ledger import RunState


@dataclass(frozen=True)
class Progress:
    """One report of a run: where it is, and its newest averages.

    Attributes:
        label: Its name within the stage.
        run: Its id.
        state: `running` until it is over.
        step: Steps that are done.
        steps: Steps that it has.
        metrics: Newest averages, or those of its evaluation.
        error: One sentence, if it failed.
        is_left: Whether this worker gave it up, because another orchestrator took it over.
        advance: Steps that this attempt has done since its report before; 0 where nothing was trained in between.
        kind: Of the failure, if it failed.
    """

    label: str
    run: str
    state: RunState
    step: int
    steps: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    is_left: bool = False
    advance: int = 0
    kind: str = ""

    def to_report(self) -> dict[str, Any]:
        """Returns the dictionary that Tune and Train report; `done` ends the trial.

        Metrics travel as one text: Tune would keep statistics of every number of every trial, 50 KB each.
        """
        return {
            "metrics": json.dumps({name: value for name, value in self.metrics.items() if isinstance(value, int | float)}),
            **{name: getattr(self, name) for name in ("label", "run", "state", "step", "steps", "error", "advance", "kind")},
            "done": self.state != "running" or self.is_left,
        }
