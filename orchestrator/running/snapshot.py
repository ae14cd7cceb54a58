"""A running experiment at one moment: what the terminal draws, and what `live.json` tells other terminals."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestrator.running.watching import Goal

ENDED_STATES = ("finished", "stopped", "failed", "cancelled")


@dataclass(frozen=True)
class RunNow:
    """A run that is being computed.

    Attributes:
        label: Its name within the stage.
        run: Its id; empty where nobody told.
        step: Steps that are done.
        steps: Steps that it has.
        rate: Steps per second over about the last half minute; 0 while that is not known.
        seconds: Since it was handed out.
        metrics: Its newest finite numbers.
    """

    label: str
    run: str = ""
    step: int = 0
    steps: int = 0
    rate: float = 0.0
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float | None:
        """Time to its last step at the present rate."""
        return (self.steps - self.step) / self.rate if self.rate > 0 else None


@dataclass(frozen=True)
class Snapshot:
    """A running experiment at one moment; the fields from `kind` on are about the present stage.

    Attributes:
        stage: The present stage; empty between stages.
        kind: Its kind.
        runs: How many runs it has.
        ended: Runs by state, with those that were in the ledger before.
        running: Runs that are handed out now, longest first.
        waiting: Why runs wait, by label.
        goal: What the stage compares its runs by, and the best so far.
        seconds: Since the stage began.
        seconds_left: To the end of the stage; None while nobody can tell.
        cost_left: Price of that; None without prices.
        currency: Of the price.
        last_error: The newest error, with the run's label.
        task: Work outside of runs, as (what, done, of how many).
        stages_done: Stages that are over, with their seconds.
        note: The newest sentence, while no stage runs.
    """

    stage: str = ""
    kind: str = ""
    runs: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)
    running: tuple[RunNow, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)
    goal: Goal | None = None
    seconds: float = 0.0
    seconds_left: float | None = None
    cost_left: float | None = None
    currency: str = ""
    last_error: str = ""
    task: tuple[str, int, int] | None = None
    stages_done: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def missing(self) -> int:
        """Runs that have not begun."""
        return max(0, self.runs - sum(self.ended.values()) - len(self.running))

    @property
    def computed(self) -> tuple[RunNow, ...]:
        """Those of `running` that do not wait for a place."""
        return tuple(run for run in self.running if run.label not in self.waiting)

    @property
    def counts(self) -> dict[str, int]:
        """Runs by state, without those that have none: ended, `interrupted` (let go of before their end), `running`, or `waiting`."""
        ended = {("interrupted" if state == "running" else state): count for state, count in self.ended.items()}
        running = len(self.computed)
        waiting = max(0, self.runs - sum(ended.values()) - running)
        return {state: count for state, count in {**ended, "running": running, "waiting": waiting}.items() if count}

    def to_json(self) -> dict[str, Any]:
        """Returns plain mappings, lists and finite numbers."""
        return {**asdict(self), "counts": self.counts}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Snapshot":
        """Reads what `to_json` wrote; fields of a newer version are left out."""
        known = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        known["running"] = tuple(RunNow(**run) for run in record.get("running", ()))
        known["goal"] = Goal(**record["goal"]) if record.get("goal") else None
        known["task"] = tuple(record["task"]) if record.get("task") else None
        return cls(**known)


def finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Returns the finite numbers among `metrics`; JSON knows no others."""
    numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}
