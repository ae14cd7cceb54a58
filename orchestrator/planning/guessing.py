"""Looks past what a plan must wait for: counts and times of stages whose runs have no names yet.

Nothing of it is ever run: the names of guessed runs are wrong, their sizes are right.
"""

from dataclasses import replace

from g3dr.procedural import species_name
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.scores import SCORES
from orchestrator.experiment.spec import AnyStage, Experiment
from orchestrator.planning.expand import expand_stage
from orchestrator.planning.knowledge import DatasetInfo, Deferred, Expansion, Knowledge, Outcome
from orchestrator.runs import RunRequest


class Guesses:
    """Expands stages as if procedural data were packed and every earlier stage were over.

    Args:
        experiment: The experiment; its stages are asked for in their order.
        knowledge: What is known.
    """

    def __init__(self, experiment: Experiment, knowledge: Knowledge) -> None:
        self._experiment, self._known = experiment, knowledge
        self._guessed = replace(_packed(experiment, knowledge), expansions={})

    def expand(self, stage: AnyStage, known: Expansion) -> Expansion:
        """Returns a stage's runs, or those that a search proposes first with the number of the others.

        Args:
            stage: The stage.
            known: What is known of it; nothing is guessed where that is all.
        """
        expansion = self._guess(stage) if isinstance(known, Deferred) else known
        named = expansion.requests if isinstance(expansion, Deferred) else expansion
        if named and self._guessed.expansions is not None:
            self._guessed.expansions[stage.name] = list(named)
        return expansion

    def _guess(self, stage: AnyStage) -> Expansion:
        def outcome(request: RunRequest) -> Outcome | None:
            known = self._known.outcome(request)
            is_over = request.stage == stage.name or (known is not None and known.state == "finished")
            return known if is_over else Outcome("finished", dict.fromkeys(SCORES, 0.0))

        try:
            return expand_stage(self._experiment, stage, replace(self._guessed, outcome=outcome))
        except ExperimentError as error:  # made-up winners may not fit together
            return Deferred(None, str(error))


def _packed(experiment: Experiment, knowledge: Knowledge) -> Knowledge:
    datasets = dict(knowledge.datasets)
    for name, data in experiment.data.items():
        if datasets.get(name) is None and data.procedural is not None:
            species = tuple(species_name(index, data.procedural.seed) for index in data.procedural.species)
            datasets[name] = DatasetInfo(name, f"not packed: {data.procedural}", species)
    return replace(knowledge, datasets=datasets)
