"""Runs that are all known before the first starts."""

from collections.abc import Sequence

from orchestrator.runs import RunRequest
from orchestrator.search.proposals import OutcomeOf


class ListedRuns:
    """The `Proposals` of a list.

    Args:
        requests: In the order in which they start.
    """

    def __init__(self, requests: Sequence[RunRequest]) -> None:
        self._requests = requests
        self.total = len(requests)

    def request(self, index: int, outcome: OutcomeOf) -> RunRequest:  # noqa: ARG002  (these depend on nothing)
        """Returns the request at `index`."""
        return self._requests[index]

    def is_settled(self, index: int, outcome: OutcomeOf) -> bool:  # noqa: ARG002  (these depend on nothing)
        """Nothing is built on any of them here."""
        return False
