"""Reads what the hook in the workers counted."""

import json
import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HOOK = Path(__file__).parent / "hook"


def counting_environment(folder: Path) -> dict[str, str]:
    """Returns what makes every Python process below count its training steps into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tests = HOOK.parent.parent
    paths = f"{HOOK}:{tests.parent}:{tests}"
    return {"PYTHONPATH": paths, "G3DR_CHAOS_COUNTS": str(folder)}


def slow_down(folder: Path, step_seconds: float) -> None:
    """Makes the steps of the runs that begin from now on take at least so long."""
    (folder / "step_seconds").write_text(str(step_seconds), encoding="utf-8")


@dataclass
class Counts:
    """Training steps of rank 0, as they were computed.

    Attributes:
        folder: Where the workers write.
        root: URI of the root whose runs are counted.
        computed: How often each step of each run was computed.
        step_seconds: Time in steps, without the first after each start.
        checkpoint_seconds: How long training stood still for each checkpoint.
        starts: How often a run was begun or continued.
    """

    folder: Path
    root: str
    computed: Counter[tuple[str, int]] = field(default_factory=Counter)
    step_seconds: float = 0.0
    checkpoint_seconds: list[float] = field(default_factory=list)
    starts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._read: dict[Path, int] = {}

    def update(self) -> "Counts":
        """Reads what is new."""
        for file in self.folder.glob("*.jsonl"):
            if file.stat().st_size > self._read.get(file, 0):
                with file.open("rb") as lines:
                    lines.seek(self._read.get(file, 0))
                    data = lines.read()
                whole = data[: data.rfind(b"\n") + 1]
                self._read[file] = self._read.get(file, 0) + len(whole)
                for line in whole.splitlines():
                    self._add(json.loads(line))
        return self

    def _add(self, event: dict) -> None:
        if event["rank"] != 0 or event["root"] != self.root:
            return
        if event["event"] == "step":
            self.computed[event["run"], event["step"]] += 1
            self.step_seconds += 0.0 if event["first"] else event["seconds"]  # the first one waits for data and warms up
        elif event["event"] == "checkpoint":
            self.checkpoint_seconds.append(event["seconds"])
        else:
            self.starts[event["run"]] += 1

    @property
    def progress(self) -> int:
        """Different steps that were computed, over all runs."""
        return len(self.computed)

    @property
    def repeated(self) -> int:
        """Computations of steps that had been computed before."""
        return self.computed.total() - len(self.computed)

    @property
    def repeated_share(self) -> float:
        """Part of the different steps that was computed again."""
        return self.repeated / max(1, self.progress)

    @property
    def checkpoint_share(self) -> float:
        """Part of the training time that checkpoints took; by their median, as one that waits out an outage is no cost of the cadence."""
        if not self.checkpoint_seconds:
            return 0.0
        seconds = len(self.checkpoint_seconds) * statistics.median(self.checkpoint_seconds)
        return seconds / (self.step_seconds + seconds)
