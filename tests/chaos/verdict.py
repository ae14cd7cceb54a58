"""Whether an experiment under faults came to what it should have."""

from chaos.laboratory import Measured
from chaos.outcome import damaged, differences
from orchestrator.store import open_store

MOST_REPEATED, MOST_IN_CHECKPOINTS = 0.02, 0.03


def verdict(alone: Measured, disturbed: Measured) -> list[str]:
    """Returns one sentence for each thing that is not as it should be; none is the aim."""
    found = differences(alone.outcome, disturbed.outcome)
    found += [f"damaged: {path}" for path in damaged(open_store(disturbed.root))]
    found += [f"left on the cluster: {kind}: {names}" for kind, names in disturbed.left.items() if names]
    return found + [f"the orchestrator ended by itself: {crash}" for crash in disturbed.journal.crashes]


def unmet_shares(disturbed: Measured) -> list[str]:
    """Returns one sentence for each of the two shares of time that is above what it may be."""
    counts, found = disturbed.counts, []
    if counts.repeated_share > MOST_REPEATED:
        found.append(f"{counts.repeated_share:.1%} of the steps were computed again, allowed: {MOST_REPEATED:.0%}")
    if counts.checkpoint_share > MOST_IN_CHECKPOINTS:
        found.append(f"checkpoints took {counts.checkpoint_share:.1%} of the training time, allowed: {MOST_IN_CHECKPOINTS:.0%}")
    return found
