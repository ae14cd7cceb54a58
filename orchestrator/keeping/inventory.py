"""What lies in a ledger and how large it is, from one listing of the store."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property

from g3dr.training.layout import INDEX, OPTIMIZER
from orchestrator.ledger.leases import generation_of
from orchestrator.store import Entry, Store


@dataclass
class RunFiles:
    """The files of a run.

    Attributes:
        run: Its id.
        entries: All its files.
    """

    run: str
    entries: list[Entry] = field(default_factory=list)

    @cached_property
    def checkpoints(self) -> Mapping[int, Mapping[str, Entry]]:
        """Files of each checkpoint by name, by step, ascending; also of half-written ones."""
        found: dict[int, dict[str, Entry]] = {}
        for entry in self.entries:
            parts = entry.path.split("/")
            if len(parts) == 5 and parts[2] == "checkpoints" and parts[3].isdecimal():
                found.setdefault(int(parts[3]), {})[parts[4]] = entry
        return dict(sorted(found.items()))

    @cached_property
    def step_measurements(self) -> Mapping[str, Set[int]]:
        """What was measured along the training: the steps of each evaluation that says so, by the path where it does."""
        parts = [entry.path.split("/") for entry in self.entries]
        names = {"/".join(part): part[3] for part in parts if len(part) == 5 and part[2] == "evaluations" and part[4] == "steps.json"}
        done = [(part[3], part[5].removesuffix(".json")) for part in parts if len(part) == 6 and part[4] == "steps"]
        return {path: {int(step) for owner, step in done if owner == name and step.isdecimal()} for path, name in names.items()}

    @property
    def complete(self) -> list[int]:
        """Steps of the checkpoints that have an index, ascending."""
        return [step for step, files in self.checkpoints.items() if INDEX in files]

    @property
    def optimizers(self) -> list[Entry]:
        """Optimizer states of the complete checkpoints, the oldest first."""
        return [self.checkpoints[step][OPTIMIZER] for step in self.complete if OPTIMIZER in self.checkpoints[step]]

    @property
    def leases(self) -> list[Entry]:
        """Leases, the oldest first."""
        found = [entry for entry in self.entries if entry.path.split("/")[2] == "lease" and generation_of(entry.path) is not None]
        return sorted(found, key=lambda entry: entry.path)

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of all checkpoints."""
        return sum(entry.size for files in self.checkpoints.values() for entry in files.values())

    @cached_property
    def changed(self) -> int:
        """When its newest checkpoint was written, nanoseconds since 1970 by the store's clock; 0 without one."""
        return max((entry.changed for files in self.checkpoints.values() for entry in files.values()), default=0)

    def size_of(self, step: int) -> int:
        """Returns the bytes of a checkpoint."""
        return sum(entry.size for entry in self.checkpoints[step].values())


def files_of_runs(store: Store) -> dict[str, RunFiles]:
    """Returns the files of every run of a ledger, by run; a thousand files a request."""
    return sort_by_run(store.entries("runs"))


def sort_by_run(entries: Iterable[Entry]) -> dict[str, RunFiles]:
    """Sorts the files below `runs/` by run."""
    found: dict[str, RunFiles] = {}
    for entry in entries:
        parts = entry.path.split("/")
        if len(parts) > 2:
            found.setdefault(parts[1], RunFiles(parts[1])).entries.append(entry)
    return found
