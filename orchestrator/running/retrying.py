"""When a run that ended too early is tried again."""

from dataclasses import dataclass, replace

from orchestrator.experiment.failure_spec import FailureSpec
from orchestrator.ledger import FailureKind

_LONGEST_PAUSE = 300.0


@dataclass(frozen=True)
class Mishap:
    """What happened to a run's process.

    Attributes:
        kind: `preemption` is a lost machine, `unplaced` a place that was never found.
        sentence: For people.
        is_exhausted: Whether Ray Train has tried again as often as it may already.
    """

    kind: FailureKind
    sentence: str
    is_exhausted: bool = False


@dataclass(frozen=True)
class Attempts:
    """How often a run was begun in vain.

    Attributes:
        total: All attempts that ended too early.
        crashes: Processes that died since the run last came further: one that crashes every hundred thousand steps gets to its end,
            one that always crashes at the same step is given up.
        preemptions: Machines that vanished.
        step: How far the run had come after the last of them.
    """

    total: int = 0
    crashes: int = 0
    preemptions: int = 0
    step: int = 0

    def after(self, mishap: Mishap, step: int, retries: int) -> "Attempts":
        """Counts one more.

        Args:
            mishap: What happened.
            step: Steps that the run's newest checkpoint holds.
            retries: How often a crash is tried again.
        """
        counted = replace(self, total=self.total + 1, step=max(step, self.step))
        if mishap.kind == "preemption":
            return replace(counted, preemptions=self.preemptions + 1)
        if step > self.step:
            return replace(counted, crashes=1)
        return replace(counted, crashes=retries + 1 if mishap.is_exhausted else self.crashes + 1)


def retry_delay(attempts: Attempts, mishap: Mishap, policy: FailureSpec) -> float | None:
    """Returns the seconds to wait before a run is tried again, or None if it is given up.

    Args:
        attempts: With this mishap counted.
        mishap: The last.
        policy: Limits, and the first wait.
    """
    if mishap.kind not in ("crash", "preemption"):
        return None
    done, limit = (attempts.preemptions, policy.preemptions) if mishap.kind == "preemption" else (attempts.crashes, policy.retries)
    if limit is not None and done > limit:
        return None
    return min(_LONGEST_PAUSE, policy.backoff_seconds * 2.0 ** (min(done, 30) - 1))
