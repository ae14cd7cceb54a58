"""How a sweep chooses its trials: algorithms, early stopping, Pareto sets. Knows nothing of Ray, of files or of time."""

from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.search.pareto import pareto
from orchestrator.search.proposals import OutcomeOf, Proposals, SweepProposals
from orchestrator.search.samplers import Proposal, number_of_trials, propose
from orchestrator.search.stopping import History, StoppingRule, history_of, should_stop
from orchestrator.search.trials import Axes, TrialResult, best_of, label_of

__all__ = [
    "Axes",
    "History",
    "OutcomeOf",
    "Proposal",
    "Proposals",
    "StoppingRule",
    "SweepProposals",
    "TrialResult",
    "best_of",
    "direction",
    "history_of",
    "label_of",
    "number_of_trials",
    "pareto",
    "propose",
    "should_stop",
]


def direction(search: SearchSpec) -> str:
    """Returns `min` or `max` for the first objective."""
    return search.goals[0].direction
