"""Which checkpoints can be deleted: a pure function of what lies in the ledger and of what is needed.

Only what nothing needs any more goes: a run keeps at least its last checkpoint, so that it can be continued, evaluated and started
from; what an experiment names by its path stays, and whatever is being computed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from g3dr.training.layout import OPTIMIZER
from orchestrator.experiment.byte_sizes import format_bytes
from orchestrator.keeping.inventory import RunFiles
from orchestrator.ledger import RunState

Kind = Literal["checkpoint", "optimizer", "lease", "run", "scratch"]


@dataclass(frozen=True)
class Deletion:
    """Something that can be deleted.

    Attributes:
        path: A file or folder, relative to the root.
        bytes: What that frees.
        reason: Why nobody needs it.
        kind: What it is.
        run: The run that it belongs to; empty for none.
    """

    path: str
    bytes: int
    reason: str
    kind: Kind
    run: str = ""


@dataclass(frozen=True)
class Needs:
    """What must stay, with the reason, which completes the sentence "it is ...".

    Attributes:
        held: Runs that a process holds; nothing of them is touched.
        runs: Runs of which all complete checkpoints stay.
        paths: Folders of single checkpoints that stay, relative to the root.
    """

    held: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RetentionPlan:
    """What an experiment's retention deletes.

    Attributes:
        deletions: In the order in which they are made.
        bytes_before: Of all its checkpoints.
        exceeded: Bytes by which the budget is exceeded all the same, because nothing else may go.
        kept_because: Why a run or checkpoint stays that would otherwise go, by path.
    """

    deletions: tuple[Deletion, ...]
    bytes_before: int
    exceeded: int
    kept_because: Mapping[str, str]

    @property
    def bytes(self) -> int:
        """What is freed."""
        return sum(deletion.bytes for deletion in self.deletions)

    @property
    def complaint(self) -> str:
        """One sentence if the budget cannot be met; empty if it is."""
        if not self.exceeded:
            return ""
        return f"the checkpoints that must stay need {format_bytes(self.exceeded)} more than `retention.budget` allows"


def retention_plan(
    files: Mapping[str, RunFiles],
    states: Mapping[str, RunState],
    needs: Needs,
    *,
    keep: int,
    budget: int | None,
    optimizers: bool = False,
) -> RetentionPlan:
    """Returns what can be deleted of the checkpoints of some runs.

    Args:
        files: The runs of an experiment, by id.
        states: Their recorded states.
        needs: What must stay.
        keep: Newest complete checkpoints of each run that stay while there is room.
        budget: Bytes that all checkpoints together may have; None for no limit.
        optimizers: Delete the optimizer states of all finished runs, whether the budget asks for it or not.
    """
    by_age = sorted(files.values(), key=lambda run: (run.changed, run.run))
    free = [run for run in by_age if run.run not in needs.held]
    planned = _Planned(sum(run.checkpoint_bytes for run in by_age), budget)
    for run in free:
        planned.add_all(_surplus(run, keep, needs))
    for deletion in chain.from_iterable(_optimizers(run) for run in free if states.get(run.run) == "finished"):
        planned.add_if_needed(deletion, always=optimizers)
    for deletion in chain.from_iterable(_older(run, needs) for run in free):
        planned.add_if_needed(deletion)
    return planned.result(_kept_because(by_age, keep, needs))


class _Planned:
    """Deletions so far, and what they leave."""

    def __init__(self, size: int, budget: int | None) -> None:
        self._before, self._budget, self._freed = size, budget, 0
        self._deletions: dict[str, Deletion] = {}

    @property
    def _exceeded(self) -> int:
        return 0 if self._budget is None else max(0, self._before - self._freed - self._budget)

    def add_all(self, deletions: Iterable[Deletion]) -> None:
        for deletion in deletions:
            self._add(deletion)

    def add_if_needed(self, deletion: Deletion, *, always: bool = False) -> None:
        """Adds a deletion while the budget is exceeded, unless what it deletes goes already."""
        if (always or self._exceeded) and not {deletion.path, deletion.path.rpartition("/")[0]} & self._deletions.keys():
            self._add(deletion)

    def _add(self, deletion: Deletion) -> None:
        part = self._deletions.pop(f"{deletion.path}/{OPTIMIZER}", None)  # goes with the whole
        self._deletions[deletion.path] = deletion
        self._freed += deletion.bytes - (part.bytes if part else 0)

    def result(self, kept: Mapping[str, str]) -> RetentionPlan:
        return RetentionPlan(tuple(self._deletions.values()), self._before, self._exceeded, kept)


def _surplus(run: RunFiles, keep: int, needs: Needs) -> Iterator[Deletion]:
    """What goes with or without a budget: complete checkpoints beyond the newest few, and half-written ones that were overtaken."""
    for step in () if run.run in needs.runs else run.complete[:-keep]:
        yield from _checkpoint(run, step, needs, f"older than the newest {keep} of its run")
    for step in run.checkpoints:
        if run.complete and step < run.complete[-1] and step not in run.complete:
            yield from _checkpoint(run, step, needs, "half-written, and there is a later one")


def _older(run: RunFiles, needs: Needs) -> Iterator[Deletion]:
    for step in () if run.run in needs.runs else run.complete[:-1]:
        yield from _checkpoint(run, step, needs, "over the budget, and not the last of its run")


def _checkpoint(run: RunFiles, step: int, needs: Needs, reason: str) -> Iterator[Deletion]:
    path = next(iter(run.checkpoints[step].values())).path.rpartition("/")[0]
    if path not in needs.paths:
        yield Deletion(path, run.size_of(step), reason, "checkpoint", run.run)


def _optimizers(run: RunFiles) -> Iterator[Deletion]:
    for entry in run.optimizers:
        yield Deletion(entry.path, entry.size, "optimizer state of a finished run, which nothing continues", "optimizer", run.run)


def _kept_because(runs: Sequence[RunFiles], keep: int, needs: Needs) -> dict[str, str]:
    """Says of what would otherwise go why it stays."""
    kept = {}
    for run in runs:
        whole = needs.held.get(run.run) or (needs.runs.get(run.run) if len(run.complete) > keep else None)
        if whole:
            kept[f"runs/{run.run}"] = whole
    own = {run.run for run in runs}
    return {**kept, **{path: reason for path, reason in needs.paths.items() if path.startswith("runs/") and path.split("/")[1] in own}}
