"""Searches with real trainings, without Ray: members of a population really train on from their parents."""

from pathlib import Path

import pytest
import torch
from early_stopping import SWEEP

from orchestrator.computing.worker import Placement, compute_run
from orchestrator.datasets import prepare_datasets
from orchestrator.experiment.loading import apply_settings, check_document
from orchestrator.experiment.spec import SweepStage
from orchestrator.ledger import Ledger
from orchestrator.planning.expand_sweep import sweep_proposals
from orchestrator.planning.knowledge import Knowledge, Outcome
from orchestrator.running.watching import Watch
from orchestrator.runs import RunRequest
from orchestrator.store import open_store

pytestmark = pytest.mark.numeric

POPULATION = (
    "stages.rates.search={algorithm: population, population: 2, generations: 2, quantile: 0.5, metric: depth_rmse}",
    "stages.rates.axes={training.learning_rate: {log_uniform: [1e-9, 1e-8]}, objective.depth.weight: [1, 2]}",
    "training.steps=2",
    "training.flip=false",
    "evaluation={images: 2, orbit_frames: 0}",
)


@pytest.fixture
def searched(tmp_path: Path) -> tuple[Ledger, list[RunRequest]]:
    """A population that hardly learns anything, computed in this process."""
    experiment = check_document(apply_settings(SWEEP, POPULATION), "population.yaml")
    store, stage = open_store(str(tmp_path)), experiment.stages[0]
    assert isinstance(stage, SweepStage)
    ledger, knowledge = Ledger(store), Knowledge(prepare_datasets(store, experiment, Watch()))
    proposals, requests = sweep_proposals(experiment, stage, knowledge), list[RunRequest]()

    def outcome(request: RunRequest) -> Outcome | None:
        record = ledger.evaluation(request.spec.id, request.evaluation.id) if request.evaluation else None
        return None if record is None else Outcome("finished", record["metrics"])

    for index in range(proposals.total):
        request = proposals.request(index, outcome)
        assert request is not None
        requests.append(request)
        assert list(compute_run(request, store.uri, Placement()))[-1].state == "finished"
    return ledger, requests


def test_members_of_a_population_start_from_the_weights_of_their_parents(searched: tuple[Ledger, list[RunRequest]]) -> None:
    ledger, requests = searched
    by_id = {request.spec.id: request for request in requests}
    assert len(by_id) == 4
    assert [request.spec.initial in by_id for request in requests] == [False, False, True, True]
    assert requests[2].spec.initial == requests[3].spec.initial  # the worse of two took over from the better
    for child in requests[2:]:
        parent = by_id[str(child.spec.initial)]
        before, after = ledger.latest_checkpoint(parent.spec.id), ledger.latest_checkpoint(child.spec.id)
        assert before is not None
        assert after is not None
        assert all(torch.allclose(after.model[name], before.model[name], atol=1e-6) for name in before.model)
        assert any(not torch.equal(after.model[name], before.model[name]) for name in before.model)
