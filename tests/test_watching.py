"""The news of an experiment: what a board makes of them, what the live file tells others, and who gets them all."""

import json
import time

import pytest
from clocks import Clock

from orchestrator.planning.expense import Estimate
from orchestrator.running.board import Board
from orchestrator.running.live import LiveFile, read_live
from orchestrator.running.snapshot import Snapshot
from orchestrator.running.watching import Goal, Together, Watch
from orchestrator.store import FolderStore, StoreError

pytestmark = pytest.mark.unit


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def board(clock):
    made = Board(clock)
    made.stage_started("losses", "sweep", 10, 2)
    return made


def test_runs_are_counted_by_state(board):
    board.run_started("a", "1f", 40)
    board.run_ended("a", "finished", None)
    board.run_started("b", "2f", 40)
    board.run_ended("b", "failed", "no room")
    board.run_started("c", "3f", 40)
    now = board.snapshot()
    assert now.ended == {"finished": 3, "failed": 1}
    assert [(run.label, run.run, run.steps) for run in now.running] == [("c", "3f", 40)]
    assert now.missing == 5
    assert now.counts == {"finished": 3, "failed": 1, "running": 1, "waiting": 5}
    assert now.last_error == "b: no room"


def test_a_rate_is_that_of_the_last_half_minute(board, clock):
    board.run_started("a", "1f", 10_000)
    for second in range(101):
        clock.now = 100 + second
        board.run_progress("a", 1000 + second * (1 if second < 50 else 3), 10_000, {"loss": 0.5})
    run = board.snapshot().running[0]
    assert run.rate == pytest.approx(3.0)
    assert run.seconds == 100
    assert run.seconds_left == pytest.approx((10_000 - 1300) / 3)


def test_a_run_that_was_continued_counts_only_its_own_steps(board, clock):
    board.run_started("a", "1f", 1000)
    board.run_progress("a", 500, 1000, {})
    assert board.snapshot().running[0].rate == 0
    clock.now += 2
    board.run_progress("a", 520, 1000, {})
    assert board.snapshot().running[0].rate == pytest.approx(10)


@pytest.mark.parametrize(("mode", "best"), [("min", ("b", 0.1)), ("max", ("a", 0.4))])
def test_the_best_so_far_follows_the_goal(board, mode, best):
    board.stage_goal(Goal("depth_rmse", mode, "earlier", 0.3))
    for label, value in (("a", 0.4), ("b", 0.1), ("c", 0.2)):
        board.run_progress(label, 40, 40, {"depth_rmse": value, "loss": 1.0})
    board.run_progress("d", 40, 40, {"depth_rmse": float("nan")})
    goal = board.snapshot().goal
    assert (goal.label, goal.value) == best


def test_the_stages_own_pace_says_when_it_ends(board, clock):
    board.stage_estimated(Estimate(400.0, 8.0, "EUR"))
    assert board.snapshot().seconds_left == 400
    clock.now += 40
    assert board.snapshot().seconds_left == 360
    for label in "ab":
        board.run_started(label, "", 40)
        board.run_ended(label, "finished", None)
    now = board.snapshot()  # two of eight new runs in 40 s
    assert now.seconds_left == pytest.approx(120)
    assert now.cost_left == pytest.approx(8.0 * 120 / 400)
    assert now.currency == "EUR"


def test_what_an_earlier_attempt_did_is_no_pace(board, clock):
    board.run_started("a", "1f", 100)
    board.run_progress("a", 80, 100, {})
    clock.now += 20
    board.run_progress("a", 100, 100, {})  # a fifth of a run in 20 s; seven more are to come
    assert board.snapshot().seconds_left == pytest.approx(7 * 100)


def test_nobody_knows_how_long_it_takes_at_first(board):
    assert board.snapshot().seconds_left is None
    assert board.snapshot().cost_left is None


def test_waiting_and_retried_runs_are_no_longer_running(board):
    board.run_waits("a", "another orchestrator computes it")
    assert board.snapshot().waiting == {"a": "another orchestrator computes it"}
    board.run_started("a", "1f", 40)
    assert board.snapshot().waiting == {}
    board.run_retried("a", 2, "its process died")
    now = board.snapshot()
    assert now.running == ()
    assert now.last_error == "a: its process died (attempt 2 follows)"


def test_a_new_stage_forgets_the_one_before(board):
    board.run_started("a", "1f", 40)
    board.stage_goal(Goal("depth_rmse", "min"))
    board.stage_ended("losses", 12.0)
    assert board.snapshot().stage == ""
    board.stage_started("species", "grid", 3, 0)
    now = board.snapshot()
    assert (now.stage, now.running, now.goal, dict(now.ended)) == ("species", (), None, {})
    assert now.stages_done == {"losses": 12.0}


def test_a_sentence_is_remembered_until_a_stage_begins(clock):
    board = Board(clock)
    board.note("starting Ray on this machine")
    assert board.snapshot().note == "starting Ray on this machine"
    board.stage_started("losses", "sweep", 10, 2)
    assert board.snapshot().note == ""


def test_a_snapshot_survives_json_whatever_the_numbers(board):
    board.stage_goal(Goal("depth_rmse", "min", "a", 0.1))
    board.run_started("a", "1f", 40)
    board.run_progress("a", 20, 40, {"loss": float("nan"), "rgb": 0.5, "text": "x"})
    board.task("packing", 1, 3)
    now = board.snapshot()
    text = json.dumps(now.to_json(), allow_nan=False)
    assert Snapshot.from_json(json.loads(text)) == now
    assert Snapshot.from_json({**json.loads(text), "of a newer version": 1}) == now


def test_news_reach_everybody():
    told = []

    class Told(Watch):
        def __init__(self, name):
            self.name = name

        def run_ended(self, label, state, error):
            told.append((self.name, label, state, error))

    Together(Told("first"), Told("second")).run_ended("a", "failed", "no room")
    assert told == [("first", "a", "failed", "no room"), ("second", "a", "failed", "no room")]


def test_everything_a_watch_may_hear_is_passed_on():
    names = [name for name in vars(Watch) if not name.startswith("_")]
    assert sorted(names) == sorted(name for name in vars(Together) if not name.startswith("_"))


def _soon(condition):
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_live_file_tells_others_what_runs_and_ends_with_a_last_word(tmp_path):
    store = FolderStore(tmp_path)
    with LiveFile(store, "study", every=0.02) as live:
        live.board.stage_started("losses", "sweep", 4, 1)
        live.board.run_started("a", "1f", 40)
        assert _soon(lambda: any(found.snapshot.running for found in read_live(store, "study")))
        (found,) = read_live(store, "study")
        assert found.is_running
        assert found.snapshot.running[0].label == "a"
    (found,) = read_live(store, "study")
    assert found.state == "finished"
    assert not found.is_running


@pytest.mark.parametrize(("error", "state"), [(RuntimeError, "failed"), (KeyboardInterrupt, "interrupted")])
def test_the_last_word_says_how_it_ended(tmp_path, error, state):
    store = FolderStore(tmp_path)
    with pytest.raises(error), LiveFile(store, "study", every=0.02):
        raise error
    assert read_live(store, "study")[0].state == state


def test_a_store_that_is_away_fails_nothing_and_is_warned_about_once(tmp_path, monkeypatch, caplog):
    def away(*_):
        raise StoreError("no answer")

    monkeypatch.setattr(FolderStore, "write_bytes", away)
    with LiveFile(FolderStore(tmp_path), "study", every=0.01):
        time.sleep(0.1)
    assert len(caplog.records) == 1
    assert "the experiment goes on: no answer" in caplog.text


def test_two_orchestrators_are_both_seen_and_garbage_is_not(tmp_path):
    store = FolderStore(tmp_path)
    with LiveFile(store, "study", every=0.01):
        pass
    (path,) = store.list("experiments/study/live")
    store.write_bytes("experiments/study/live/other-7.json", store.read_bytes(path))
    store.write_bytes("experiments/study/live/half-8.json", b'{"host": ')
    assert len(read_live(store, "study")) == 2
