"""Keeps the checkpoints of a running experiment within their budget."""

import logging
import time
from collections.abc import Callable, Sequence

from orchestrator.experiment.retention_spec import RetentionSpec
from orchestrator.keeping.pruning import apply_retention
from orchestrator.ledger import LeaseKeeper, Ledger
from orchestrator.store import StoreError

logger = logging.getLogger(__name__)

_SECONDS = 300.0


class Tidier:
    """Deletes what the experiment's retention says, every five minutes at most: it lists all runs of the ledger.

    Args:
        experiment: Name of the experiment.
        retention: What is kept; without a budget there is nothing to do here, since every run forgets its own old checkpoints.
        ledger: Where the runs are.
        keeper: Knows which runs are computed here.
        tell: Gets a sentence where the budget cannot be met.
    """

    def __init__(self, experiment: str, retention: RetentionSpec, ledger: Ledger, keeper: LeaseKeeper, tell: Callable[[str], None]) -> None:
        self._experiment, self._retention, self._ledger = experiment, retention, ledger
        self._keeper, self._tell = keeper, tell
        self._last, self._told = time.monotonic(), ""

    def tidy(self, runs: Sequence[str] = (), *, at_once: bool = False) -> None:
        """Deletes what may go, if it is time to look again.

        Args:
            runs: Runs of the experiment that its records do not name yet.
            at_once: Look now.
        """
        if self._retention.budget is None or (not at_once and time.monotonic() - self._last < _SECONDS):
            return
        try:
            self._apply(runs)
        except StoreError as error:
            logger.warning("the budget of %s is looked at later (%s)", self._experiment, error)
        self._last = time.monotonic()

    def _apply(self, runs: Sequence[str]) -> None:
        keep, budget = self._retention.checkpoints, self._retention.budget_bytes
        plan = apply_retention(self._ledger, self._experiment, keep=keep, budget=budget, runs=runs, computed=self._keeper.held)
        if plan.exceeded and plan.complaint != self._told:
            self._told = plan.complaint
            self._tell(plan.complaint)
