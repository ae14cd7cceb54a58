"""The keeper: leases are renewed until they are given back, whatever the store does meanwhile."""

import logging
import time
from dataclasses import replace

import pytest
from lease_fixture import ELSEWHERE, FlakyStore, wait_for

from orchestrator.ledger import LeaseKeeper, Leases
from orchestrator.store import open_store

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "root"))


def test_the_keeper_renews_until_the_end_and_gives_everything_back(store):
    with LeaseKeeper(Leases(store), every=0.01) as keeper:
        tokens = {run: keeper.acquire(run) for run in ("one", "two", "three")}
        assert keeper.acquire("one") is None
        wait_for(lambda: all(Leases(store).find(run).record.counter > 2 for run in tokens))
        keeper.release("three")
        assert keeper.held == {"one", "two"}
        assert Leases(store).holder("three") is None
        assert Leases(store).is_current("one", tokens["one"])
    assert [Leases(store).holder(run) for run in tokens] == [None] * 3
    assert keeper.lost == frozenset()


def test_the_keeper_outlasts_a_store_that_is_away(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    store = FlakyStore(tmp_path / "root")
    with LeaseKeeper(Leases(store), every=0.01) as keeper:
        token = keeper.acquire("run")
        store.away = True
        wait_for(lambda: any("cannot be renewed" in record.getMessage() for record in caplog.records))
        time.sleep(0.1)
        store.away = False
        wait_for(lambda: any("renewed again" in record.getMessage() for record in caplog.records))
        assert keeper.held == {"run"}
        assert Leases(store).is_current("run", token)
    assert len([record for record in caplog.records if "cannot be renewed" in record.getMessage()]) == 1


def test_the_keeper_says_what_was_taken_over(store, caplog):
    with LeaseKeeper(Leases(store), every=0.01) as keeper:
        keeper.acquire("run")
        record = Leases(store).find("run").record
        store.write_bytes("runs/run/lease/00000002.json", replace(record, word="other", owner=ELSEWHERE).to_bytes())
        wait_for(lambda: keeper.lost == {"run"})
        assert keeper.held == frozenset()
        keeper.release("run")
        assert keeper.lost == frozenset()
    assert Leases(store).holder("run").host == "elsewhere", "nothing of the new holder's was touched"
    assert "taken over by process 1 on elsewhere" in caplog.text
