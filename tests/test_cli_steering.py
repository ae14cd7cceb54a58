"""The verbs that steer what others compute, and read their logs: they need the store alone."""

import threading
import time

import pytest
from cli_fixture import g3dr, wait_for, write_small

from orchestrator.cli.logs import _new_part
from orchestrator.ledger import LeaseKeeper, Leases, Ledger
from orchestrator.running.control import Control
from orchestrator.running.live import LiveFile
from orchestrator.running.overview import overview

pytestmark = pytest.mark.unit


@pytest.fixture
def small(tmp_path):
    return write_small(tmp_path)


# logs


def write_log(store, run, attempt, text, worker=""):
    store.write_bytes(f"runs/{run}/logs/{attempt:04d}{worker}.log", text.encode())


def test_logs_show_the_newest_attempt_or_another_with_all_its_workers(small):
    run = "aabb000000000000"
    write_log(small, run, 1, "first\n")
    write_log(small, run, 2, "second\n")
    write_log(small, run, 2, "of the other worker\n", ".worker1")
    text = g3dr("logs", "aabb", "--root", small.uri)
    assert "== attempt 2 == second == attempt 2, worker 1 == of the other worker" in text
    assert f"run {run}: failed (no room); logs of attempts 1, 2" in text
    assert "first" in g3dr("logs", "small/losses/rate=1", "--attempt", "1", "--root", small.uri)


def test_a_run_without_log_says_its_state(small, capsys, monkeypatch):
    from orchestrator.cli.main import main

    monkeypatch.setattr("sys.argv", ["g3dr", "logs", "aabb", "--root", small.uri])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "has no log" in (error := capsys.readouterr().err)
    assert "failed (no room)" in error


def test_following_a_log_prints_what_is_new_until_nobody_holds_the_run(small, monkeypatch):
    monkeypatch.setattr("orchestrator.cli.logs._FOLLOW_SECONDS", 0.02)
    run = "cccc000000000000"
    with LeaseKeeper(Leases(small)) as keeper:
        keeper.acquire(run)
        write_log(small, run, 1, "first\n")

        def go_on():
            time.sleep(0.2)
            write_log(small, run, 1, "first\nsecond\n")
            time.sleep(0.2)
            write_log(small, run, 2, "third\n")
            time.sleep(0.2)
            keeper.release(run)

        threading.Thread(target=go_on).start()
        text = g3dr("logs", run, "--follow", "--root", small.uri)
    assert text.startswith("== attempt 1 == first second == attempt 2 == third")


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        (b"", b"a\n", b"a\n"),
        (b"a\nb\n", b"a\nb\nc\n", b"c\n"),
        (b"a\nb\nc\n", b"a\n... 1 lines left out ...\nc\nd\n", b"d\n"),
        (b"a\nb\n", b"a\n... 9 lines left out ...\ny\nz\n", None),
    ],
)
def test_only_what_is_new_of_a_log_is_printed(before, now, new):
    found = _new_part(before, now)
    assert found == new if new is not None else found.startswith(b"... lines left out here ...\n")


# stop and retry


def test_stop_needs_somebody_who_computes(small):
    assert "nobody computes small" in g3dr("stop", "small", "--root", small.uri)
    assert small.list("control") == []


def test_stop_reaches_whoever_computes(small):
    computing = Control(small)
    computing.begin("small")
    with LiveFile(small, "small", every=0.02):
        wait_for(lambda: overview(small, "small").running)
        text = g3dr("stop", "small", "--root", small.uri)
        assert overview(small, "small").stops
    assert "asked to stop small on" in text
    assert computing.stop_requested("small")
    with LiveFile(small, "small", every=0.02):
        wait_for(lambda: overview(small, "small").running)
        assert not overview(small, "small").stops


def test_one_run_is_stopped_and_taken_back(small):
    control = Control(small)
    text = g3dr("stop", "small", "rate=2", "--root", small.uri)
    assert "asked to stop run cccc000000000000 (losses/rate=2)" in text
    assert control.stopped_runs(["cccc000000000000"]) == {"cccc000000000000"}
    assert "run cccc000000000000" in g3dr("retry", "small/losses/rate=2", "--root", small.uri)
    assert control.stopped_runs(["cccc000000000000"]) == set()


def test_a_run_that_is_over_is_not_stopped(small):
    assert "is finished already" in g3dr("stop", "small", "rate=0", "--root", small.uri)
    assert small.list("control") == []


def test_retry_takes_back_all_that_failed(small):
    assert "1 run will go on" in g3dr("retry", "small", "--root", small.uri)
    assert Ledger(small).status("aabb000000000000").state == "running"
    assert "nothing of small has failed" in g3dr("retry", "small", "--root", small.uri)


# prune


def test_prune_shows_asks_and_deletes(small, monkeypatch):
    path = "scratch/abc/file"
    small.write_bytes(path, b"x" * 1000)
    monkeypatch.setattr("orchestrator.keeping.pruning._QUIET_SECONDS", -1.0)
    assert "left by a process that ended" in g3dr("prune", "--dry-run", "--root", small.uri)
    assert small.exists(path)
    assert "freed" in g3dr("prune", "--yes", "--root", small.uri)
    assert not small.exists(path)
    assert "nothing that could be deleted" in g3dr("prune", "--root", small.uri)


def test_prune_deletes_nothing_where_nobody_can_be_asked(small, monkeypatch):
    from g3dr.errors import G3drError

    small.write_bytes("scratch/abc/file", b"x")
    monkeypatch.setattr("orchestrator.keeping.pruning._QUIET_SECONDS", -1.0)
    with pytest.raises(G3drError, match=r"prune --root .* --yes deletes without asking"):
        g3dr("prune", "--root", small.uri)
    assert small.exists("scratch/abc/file")
