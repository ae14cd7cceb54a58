"""On whose behalf a worker computes a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """The right to compute a run.

    Attributes:
        token: Of the lease that the orchestrator holds; None where nobody else can be at work, as in tests.
        attempt: How often the run was begun before.
    """

    token: str | None = None
    attempt: int = 0
