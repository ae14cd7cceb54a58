"""What a plan builds on besides the experiment file, and what it cannot know yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from orchestrator.runs import COMPUTE_VERSION, RunRequest


@dataclass(frozen=True)
class DatasetInfo:
    """A packed data set.

    Attributes:
        uri: Where it lies.
        version: Hash of its content.
        species: All its species, sorted.
        rows: Rows of each split.
    """

    uri: str
    version: str
    species: tuple[str, ...]
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a requested run ended.

    Attributes:
        state: As in its status.
        metrics: Numbers of its evaluation; empty if it has none.
    """

    state: Literal["finished", "failed", "stopped", "cancelled"]
    metrics: Mapping[str, float] = field(default_factory=dict)


def _nothing(_: RunRequest) -> Outcome | None:
    return None


@dataclass(frozen=True)
class Knowledge:
    """What a plan builds on besides the experiment.

    Attributes:
        datasets: Each data set of the experiment by name; None if it is not packed yet.
        outcome: How a requested run (with its evaluation) ended; None while it is not over.
        checkpoints: SHA-256 of checkpoints outside of the experiment, by the text after `from:` without `checkpoint:`.
        compute_version: Version of the code that computes.
        expansions: What `expand_stage` found, by stage; None where nothing is remembered.
    """

    datasets: Mapping[str, DatasetInfo | None] = field(default_factory=dict)
    outcome: Callable[[RunRequest], Outcome | None] = _nothing
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    compute_version: str = COMPUTE_VERSION
    expansions: "dict[str, Expansion] | None" = field(default=None, compare=False, repr=False)

    def remembering(self) -> "Knowledge":
        """Returns the same for one look at one experiment: each outcome is asked once, and each stage expanded once."""
        seen: dict[tuple[str, str, tuple[int, ...], int | None], Outcome | None] = {}

        def outcome(request: RunRequest) -> Outcome | None:
            key = (request.spec.id, request.measurement, request.rungs, request.evaluate_every)
            if key not in seen:
                seen[key] = self.outcome(request)
            return seen[key]

        return replace(self, outcome=outcome, expansions={})


@dataclass(frozen=True)
class Deferred:
    """Runs that cannot be named yet.

    Attributes:
        count: How many there will be besides `requests`; None if that is unknown too.
        reason: What they wait for.
        requests: Those that can be named.
    """

    count: int | None
    reason: str
    requests: tuple[RunRequest, ...] = ()


Expansion = list[RunRequest] | Deferred
