"""Which kind of failure an error of a run is."""

from g3dr.errors import G3drError, MemoryExceededError, NonFiniteLossError
from orchestrator.ledger import FailureKind


def failure_kind(error: G3drError) -> FailureKind:
    """Returns what the ledger calls it; none of these is tried again by itself."""
    if isinstance(error, NonFiniteLossError):
        return "non_finite"
    return "out_of_memory" if isinstance(error, MemoryExceededError) else "input"
