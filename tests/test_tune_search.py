"""Ray Tune's side of a sweep. Marked `ray` because it imports Ray; it starts none."""

import json
from typing import Any

import pytest
from experiment_document import DOCUMENT

from orchestrator.loading import apply_settings, check_document
from orchestrator.plan import DatasetInfo, Knowledge, Outcome, sweep_request
from orchestrator.runs import RunRequest
from orchestrator.spec import SweepStage
from orchestrator.tune_search import LedgerSearch

pytestmark = pytest.mark.ray

OPTUNA = (
    "stages.losses.search={algorithm: optuna, trials: 6, batch: 2}",
    "stages.losses.axes={training.learning_rate: {log_uniform: [1e-4, 1e-2]}}",
)


class FakeLedger:
    """Keeps outcomes by run id."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def finish(self, request: RunRequest) -> None:
        self.outcomes[request.spec.id] = Outcome("finished", {"depth_rmse": request.spec.training.learning_rate})

    def search(self, *settings: str) -> LedgerSearch:
        experiment = check_document(apply_settings(DOCUMENT, settings), "small.yaml")
        stage = experiment.stage("losses")
        assert isinstance(stage, SweepStage)
        make = sweep_request(experiment, stage, Knowledge({"animals": DatasetInfo("uri", "version", ("a",))}))
        return LedgerSearch(stage.axes, stage.search, make, lambda request: self.outcomes.get(request.spec.id))


def _request(suggestion: Any) -> RunRequest:
    return RunRequest.from_json(json.loads(suggestion["request"]))


def _run_all(ledger: FakeLedger, search: LedgerSearch, stop_after: int = 100) -> list[str]:
    """Completes suggested trials one by one; returns the ids that were computed."""
    computed: list[str] = []
    for number in range(stop_after):
        suggestion = search.suggest(str(number))
        if suggestion == LedgerSearch.FINISHED:
            break
        request = _request(suggestion)
        computed.append(request.spec.id)
        ledger.finish(request)
        search.on_trial_complete(str(number), {})
    return computed


def test_a_killed_search_continues_where_it_was_and_repeats_nothing() -> None:
    undisturbed = _run_all(whole := FakeLedger(), whole.search(*OPTUNA))
    ledger = FakeLedger()
    before = _run_all(ledger, ledger.search(*OPTUNA), stop_after=3)
    after = _run_all(ledger, ledger.search(*OPTUNA))
    assert len(undisturbed) == 6
    assert before + after == undisturbed


def test_the_next_batch_waits_and_the_same_run_is_never_computed_twice_at_once() -> None:
    ledger = FakeLedger()
    search = ledger.search(*OPTUNA)
    first, second = _request(search.suggest("a")), _request(search.suggest("b"))
    assert first.spec.id != second.spec.id
    assert search.suggest("c") is None
    ledger.finish(first)
    search.on_trial_complete("a", {})
    assert search.suggest("c") is None
    search.on_trial_complete("b", error=True)  # its process died: counts as failed, and the search goes on
    assert _request(search.suggest("c")).index == 2
    assert [trial.value is None for trial in search.history] == [False, True]


def test_equal_draws_wait_for_each_other() -> None:
    ledger = FakeLedger()
    search = ledger.search("stages.losses.axes={objective.rgb.weight: [1, 1.0, 2]}")
    request = _request(search.suggest("a"))
    assert search.suggest("b") is None
    ledger.finish(request)
    search.on_trial_complete("a", {})
    assert _request(search.suggest("b")).index == 2
    assert search.suggest("c") == LedgerSearch.FINISHED


def test_tune_may_save_it_but_it_reads_nothing_back(tmp_path: Any) -> None:
    search = FakeLedger().search(*OPTUNA)
    search.suggest("a")
    search.save(str(tmp_path / "state"))
    search.restore(str(tmp_path / "state"))
    assert json.loads((tmp_path / "state").read_text()) == {"next": 1, "total": 6}
