"""Requests from another terminal: who obeys them, and what a retry takes back."""

import pytest

from orchestrator.ledger import Ledger, RunStatus
from orchestrator.running.control import Control
from orchestrator.store import FolderStore, open_store

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


def test_nothing_is_asked_for_at_first(store):
    control = Control(store)
    assert not control.stop_requested("study")
    assert control.stopped_runs(["a", "b"]) == set()


def test_a_stop_reaches_who_computes_and_not_who_begins_later(store):
    computing, other = Control(store), Control(store)
    computing.begin("study")
    Control(store).request_stop_experiment("study")
    other.begin("study")
    assert computing.stop_requested("study")
    assert not other.stop_requested("study")
    Control(store).request_stop_experiment("study")
    assert other.stop_requested("study")


def test_a_stop_is_meant_for_one_experiment(store):
    control = Control(store)
    control.request_stop_experiment("study")
    assert not control.stop_requested("study2")
    assert not control.stop_requested("stud")


def test_whoever_ran_to_the_end_clears_the_requests(store):
    control = Control(store)
    control.request_stop_experiment("study")
    control.clear("study")
    assert not control.stop_requested("study")
    assert store.list() == []


def test_a_stop_of_a_run_holds_until_it_is_taken_back(store):
    control = Control(store)
    control.request_stop_run("a")
    control.begin("study")
    assert control.stopped_runs(["a", "b"]) == {"a"}
    assert control.request_retry("a")
    assert control.stopped_runs(["a", "b"]) == set()


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_retry_lets_a_run_go_on_from_its_checkpoint(store, state):
    ledger = Ledger(store)
    ledger.set_status("a", RunStatus(state, step=40, seconds=3.0, error="no room", attempts=4))
    assert Control(store).request_retry("a")
    assert ledger.status("a") == RunStatus("running", step=40, seconds=3.0)


@pytest.mark.parametrize("state", ["running", "finished", "stopped"])
def test_a_retry_leaves_other_runs_alone(store, state):
    ledger = Ledger(store)
    ledger.set_status("a", RunStatus(state, step=40))
    assert not Control(store).request_retry("a")
    assert ledger.status("a") == RunStatus(state, step=40)


def test_one_listing_answers_for_any_number_of_runs(store, monkeypatch):
    calls = []
    monkeypatch.setattr(FolderStore, "list", lambda self, prefix="": calls.append(prefix) or [])
    control = Control(store)
    requests = control.requests()
    control.stop_requested("study", requests)
    control.stopped_runs([str(index) for index in range(10_000)], requests)
    assert calls == ["control"]


@pytest.mark.data
def test_requests_work_over_s3(s3_uri):
    store = open_store(s3_uri)
    computing = Control(store)
    computing.begin("study")
    Control(store).request_stop_experiment("study")
    Control(store).request_stop_run("a")
    requests = computing.requests()
    assert computing.stop_requested("study", requests)
    assert computing.stopped_runs(["a", "b"], requests) == {"a"}
    computing.clear("study")
    computing.clear_run("a")
    assert store.list() == []
