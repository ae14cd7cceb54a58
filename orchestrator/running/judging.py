"""In which state runs are: by their status and lease in the ledger, and by what the orchestrators that live say of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.ledger import Holder, Leases, RunStatus
from orchestrator.running.snapshot import ENDED_STATES, Snapshot

STATES = ("finished", "stopped", "failed", "cancelled", "running", "waiting", "interrupted", "missing")
"""What is not over is `running`, or `waiting` while somebody computes the experiment and will come to it; else `interrupted` if it was
begun, and `missing` if it was not."""


class Judge:
    """Judges one run after the other.

    Args:
        now: What the orchestrators that live say.
        stages: Names of the experiment's stages, in their order.
        leases: Of the ledger.
    """

    def __init__(self, now: Sequence[Snapshot], stages: Sequence[str], leases: Leases) -> None:
        self._leases = leases
        self._handed_out = {(one.stage, run.label) for one in now for run in one.running}
        self._computed = {(one.stage, run.label) for one in now for run in one.computed}
        self._ahead = {name for one in now for name in _ahead(one, stages)}

    def __call__(self, stage: str, label: str, run: str, status: RunStatus | None) -> tuple[str, Holder | None]:
        """Returns the state of a run, and who holds it if it is not over.

        Args:
            stage: Its stage.
            label: Its name there.
            run: Its id.
            status: What the ledger says; None for one that never started.
        """
        if (stage, label) in self._computed:
            return "running", self._leases.holder(run)
        if status is not None and status.state != "running":
            return status.state, None
        holder = None if status is None else self._leases.holder(run)
        if holder is not None and not holder.gone and (stage, label) not in self._handed_out:  # that has no place yet
            return "running", holder
        return "waiting" if stage in self._ahead else "missing" if status is None else "interrupted", holder


def _ahead(now: Snapshot, stages: Sequence[str]) -> list[str]:
    """Returns the stages to which an orchestrator will come, with the one at which it is."""
    first = stages.index(now.stage) if now.stage in stages else 0
    return [name for name in stages[first:] if name not in now.stages_done]


def counts_at(now: Sequence[Snapshot], known: Mapping[str, int]) -> Mapping[str, int]:
    """Counts the runs of a stage that is computed, by state. One orchestrator knows all ends; of several each knows its own.

    Args:
        now: What the orchestrators say that are at this stage, at least one.
        known: What the ledger knows of the stage's runs.
    """
    if len(now) == 1:
        return now[0].counts
    ends = [{state: count for state, count in counts.items() if state in ENDED_STATES} for counts in (known, *(one.ended for one in now))]
    computed = {run.label: run for one in now for run in one.computed}
    largest = max(now, key=lambda one: one.runs)
    most = max(ends, key=lambda counts: sum(counts.values()))
    return replace(largest, ended=most, running=tuple(computed.values()), waiting={}).counts
