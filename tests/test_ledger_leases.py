"""Leases: who holds a run, when a lease is dead, what a late writer may still do."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from clocks import Clock
from lease_fixture import ELSEWHERE, FlakyStore, wait_for

from orchestrator.ledger import LeaseLostError, Leases, Ledger, RunStatus
from orchestrator.ledger.lease_record import LeaseRecord
from orchestrator.ledger.processes import ProcessName
from orchestrator.store import StoreError, open_store

pytestmark = pytest.mark.unit

SLEEPER = "import sys, time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "root"))


def leases_of(store, clock=None, owner=ELSEWHERE, seconds=60.0):
    return Leases(store, seconds=seconds, owner=owner, clock=clock or Clock())


def files(store):
    return [path.rpartition("/")[2] for path in store.list("runs/run/lease")]


def test_a_run_is_held_by_one_until_it_is_released(store):
    mine, other = Leases(store), Leases(store)
    lease = mine.acquire("run")
    assert (other.acquire("run"), mine.acquire("run")) == (None, None)
    assert mine.acquire("another") is not None
    assert other.is_current("run", lease.token)
    lease.release()
    assert not other.is_current("run", lease.token)
    assert other.holder("run") is None
    second = other.acquire("run")
    assert second.token != lease.token
    assert files(store) == ["00000002.json"], "older generations are deleted by the next holder"


def test_people_see_who_holds_a_run(store):
    assert Leases(store).holder("run") is None
    Leases(store).acquire("run")
    holder = Leases(store).holder("run")
    assert (holder.pid, holder.gone) == (os.getpid(), False)
    assert holder.since == holder.renewed


def test_a_lease_dies_when_its_counter_stands_still_for_this_observer(store):
    clock = Clock(5000.0)
    leases_of(store).acquire("run")
    observer = leases_of(store, clock)
    assert observer.acquire("run") is None, "seen for the first time: its age is unknown"
    clock.now += 59.9
    assert observer.acquire("run") is None
    clock.now += 0.1
    assert observer.acquire("run") is not None


def test_a_renewed_lease_lives_on_whatever_the_clocks_say(store):
    """The holder's clocks are years off in both directions; nothing but the change of its counter is looked at."""
    holder_clock, clock = Clock(-1e9), Clock(1e9)
    lease, observer = leases_of(store, holder_clock).acquire("run"), leases_of(store, clock)
    for number in range(10):
        assert observer.acquire("run") is None
        clock.now += 45
        holder_clock.now -= 1000
        record = LeaseRecord.parse(store.read_bytes("runs/run/lease/00000001.json"))
        stamp = f"{1970 + 100 * number % 900}-01-01T00:00:00+00:00"
        store.write_bytes("runs/run/lease/00000001.json", replace(record, renewed=stamp).to_bytes())
        lease.renew()
    assert observer.acquire("run") is None
    clock.now += 60
    assert observer.acquire("run") is not None


def test_an_outage_of_the_store_kills_no_lease(store, tmp_path):
    clock, flaky = Clock(), FlakyStore(tmp_path / "root")
    leases_of(store).acquire("run")
    observer = leases_of(flaky, clock)
    assert observer.acquire("run") is None
    flaky.away = True
    clock.now += 70
    with pytest.raises(StoreError):
        observer.acquire("run")
    flaky.away = False
    assert observer.acquire("run") is None, "nobody could renew meanwhile"
    clock.now += 60
    assert observer.acquire("run") is not None


def test_a_store_that_breaks_down_while_a_lease_is_taken_leaves_none_that_nobody_has(tmp_path, monkeypatch):
    flaky = FlakyStore(tmp_path / "root")
    mine, look = Leases(flaky), flaky.entries
    calls = iter((False, True, False, False, False))

    def entries(prefix=""):
        flaky.away = next(calls, False)
        return look(prefix)

    monkeypatch.setattr(flaky, "entries", entries)
    with pytest.raises(StoreError):
        mine.acquire("run")
    assert Leases(flaky).acquire("run") is None, "others cannot know"
    lease = mine.acquire("run")
    assert Leases(flaky).is_current("run", lease.token)


def test_a_request_that_hung_through_an_outage_kills_no_lease(store):
    clock = Clock()
    leases_of(store).acquire("run")
    observer = leases_of(store, clock)
    assert observer.acquire("run") is None
    entries = store.entries

    def slow(prefix=""):
        clock.now += 70
        return entries(prefix)

    store.entries = slow
    assert observer.acquire("run") is None


def test_who_was_taken_over_learns_it_and_writes_nothing_more(store):
    clock = Clock()
    lease, observer = leases_of(store).acquire("run"), leases_of(store, clock, owner=None)
    observer.acquire("run")
    clock.now += 60
    successor = observer.acquire("run")
    ledger = Ledger(store)
    ledger.set_status("run", RunStatus("running", 20), successor.token)
    with pytest.raises(LeaseLostError, match=f"run run: taken over by process {os.getpid()} on "):
        ledger.set_status("run", RunStatus("running", 10), lease.token)
    with pytest.raises(LeaseLostError):
        ledger.write_metrics("run", 10, [{"step": 10}], lease.token)
    assert ledger.status("run").step == 20
    assert ledger.metrics("run") == []
    with pytest.raises(LeaseLostError):
        lease.renew()
    lease.release()
    assert Leases(store).is_current("run", successor.token), "what the late one writes changes nothing"


def test_whoever_acts_on_an_old_look_gets_nothing(store, monkeypatch):
    """Between its look and its write the run was taken over, given back, and taken again, and the file it wants to create is gone."""
    clock = Clock()
    first = leases_of(store).acquire("run")
    late, find = leases_of(store, clock), Leases.find
    first.release()
    old = find(late, "run")
    second = leases_of(store).acquire("run")
    second.release()
    third = leases_of(store).acquire("run")
    assert files(store) == ["00000003.json"]
    monkeypatch.setattr(late, "find", lambda run: old)
    assert late.acquire("run") is None
    assert files(store) == ["00000003.json"]
    assert leases_of(store).is_current("run", third.token)


def test_whoever_saw_no_lease_at_all_gets_nothing_if_there_were_two_since(store, monkeypatch):
    late = leases_of(store)
    monkeypatch.setattr(late, "find", lambda run: None)
    leases_of(store).acquire("run").release()
    current = leases_of(store).acquire("run")
    assert late.acquire("run") is None
    assert files(store) == ["00000002.json"]
    assert leases_of(store).is_current("run", current.token)


def test_whoever_acts_on_an_old_look_gets_nothing_even_if_all_was_tidied_away(store, monkeypatch):
    first = leases_of(store).acquire("run")
    first.release()
    late = leases_of(store)
    old = late.find("run")
    store.delete("runs/run/lease")
    current = leases_of(store).acquire("run")
    monkeypatch.setattr(late, "find", lambda run: old)
    assert late.acquire("run") is None
    assert leases_of(store).is_current("run", current.token)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"word": 1}', b"\xff\xfe", b"[" * 100_000], ids=range(7))
def test_a_damaged_lease_dies_after_its_time(store, content):
    clock = Clock()
    leases_of(store).acquire("run")
    store.write_bytes("runs/run/lease/00000001.json", content)
    observer = leases_of(store, clock)
    assert observer.acquire("run") is None
    assert observer.holder("run") is None
    clock.now += 60
    assert observer.acquire("run") is not None


def test_a_lease_deleted_by_hand_is_lost(store):
    lease = Leases(store).acquire("run")
    store.delete("runs/run/lease")
    with pytest.raises(LeaseLostError):
        lease.renew()


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def _name_of(pid):
    from orchestrator.ledger.processes import _state

    return replace(ProcessName.current(), pid=pid, started=_state(pid)[1])


def test_a_killed_process_on_this_machine_holds_nothing(store, sleeper):
    Leases(store, owner=_name_of(sleeper.pid)).acquire("run")
    assert Leases(store).acquire("run") is None
    sleeper.kill()
    wait_for(lambda: Leases(store).holder("run").gone)  # a zombie, for nobody has asked for its result yet
    lease = Leases(store).acquire("run")
    assert lease is not None
    assert Leases(store).holder("run").pid == os.getpid()


def test_a_later_process_of_the_same_number_is_another_one(store, sleeper):
    name = _name_of(sleeper.pid)
    assert not name.is_gone()
    assert replace(name, started=name.started - 1).is_gone()


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"boot": "before"}, {"namespace": "pid:[1]"}, {"boot": "", "namespace": ""}])
def test_of_another_machine_boot_or_container_nothing_is_certain(change):
    gone = replace(ProcessName.current(), started=1)
    assert gone.is_gone()
    assert not replace(gone, **change).is_gone()


@pytest.mark.data
def test_leases_outlast_lost_answers(faults, s3_uri):
    """Answers get lost, requests are refused: still one holder, who knows that he is."""
    from fault_proxy import PASSING, FaultPlan

    faults.plan = FaultPlan(seed=3, rate=0.3, kinds=tuple(kind for kind in PASSING if kind not in ("stalled", "silent")))
    store = open_store(s3_uri)
    mine, other = Leases(store), Leases(store, owner=ELSEWHERE)
    for run in ("one", "two", "three"):
        lease = mine.acquire(run)
        assert lease is not None, "the store says that it is there; the writer's word tells that it is ours"
        assert other.acquire(run) is None
        lease.renew()
        assert other.is_current(run, lease.token)
        lease.release()
        assert other.acquire(run) is not None
    assert sum(faults.injected.values()) > 10, faults.injected
