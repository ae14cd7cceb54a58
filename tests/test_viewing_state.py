"""What `g3dr view` reads, how often, and what it keeps of it."""

import json
import time

import pytest
from cli_fixture import write_small

from orchestrator.running.live import LiveFile
from orchestrator.store import StoreError
from orchestrator.viewing.curves import MOST_POINTS, Trail, thinned
from orchestrator.viewing.recent import Recent
from orchestrator.viewing.site import Site

pytestmark = pytest.mark.unit


def test_a_running_experiment_shows_its_runs_and_its_newest_numbers(tmp_path):
    store = write_small(tmp_path)
    site = Site(store)
    live = LiveFile(store, "small", every=0.01)
    with live:
        live.board.stage_started("losses", "sweep", 4, 1)
        live.board.run_started("rate=9", "dddd" * 4, 100)
        live.board.run_progress("rate=9", 40, 100, {"loss": 0.5})
        found = _until(site, lambda answer: any(run["metrics"] for run in answer["runs"]))
        (run,) = [run for run in found["runs"] if run["label"] == "rate=9"]
        assert (found["state"], found["current"]) == ("running", "losses")
        assert (run["state"], run["step"], run["steps"], run["metrics"]) == ("running", 40, 100, {"loss": 0.5})
        assert json.loads(site.answer("/api/experiments").body)["experiments"][0]["now"][0]["stage"] == "losses"
        curves = json.loads(site.answer("/api/experiments/small/curves").body)
        assert curves["metrics"]["loss"]["dddd" * 4] == [[40, 0.5]]
    assert _until(site, lambda answer: answer["state"] != "running")["live"][0]["state"] == "finished"


def _until(site, holds, seconds=10):
    deadline = time.monotonic() + seconds
    while not holds(answer := json.loads(site.answer("/api/experiments/small").body)):
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    return answer


def test_many_tabs_ask_the_store_as_often_as_one():
    now, asked = [0.0], []
    recent = Recent(lambda: now[0])
    for _ in range(10):
        assert recent.get("key", lambda: asked.append(1) or len(asked), seconds=2) == 1
    now[0] = 2.1
    assert recent.get("key", lambda: asked.append(1) or len(asked), seconds=2) == 2


def test_what_takes_long_is_read_less_often():
    now, asked = [0.0], []

    def slow():
        asked.append(1)
        now[0] += 3

    recent = Recent(lambda: now[0])
    recent.get("key", slow)
    now[0] += 20
    recent.get("key", slow)
    assert len(asked) == 1
    now[0] += 11
    recent.get("key", slow)
    assert len(asked) == 2


def test_failures_are_not_remembered_and_old_results_go():
    recent = Recent(most=2)
    with pytest.raises(StoreError):
        recent.get("key", _away)
    assert recent.get("key", lambda: 1) == 1
    for key in "abc":
        recent.get(key, lambda: 2)
    assert recent.get("key", lambda: 3) == 3


def _away():
    raise StoreError("s3://bucket: no answer")


def test_a_store_that_is_away_is_a_sentence(tmp_path, monkeypatch):
    site = Site(write_small(tmp_path))
    monkeypatch.setattr("orchestrator.viewing.state.experiments", lambda _: _away())
    answer = site.answer("/api/experiments")
    assert (answer.status, json.loads(answer.body)) == (503, {"error": "s3://bucket: no answer"})


def test_damaged_pictures_are_a_sentence(tmp_path):
    store = write_small(tmp_path)
    store.write_bytes("runs/aaaa/evaluations/e.safetensors", b"\x08\0\0\0\0\0\0\0damaged!")
    answer = Site(store).answer("/api/pictures/aaaa/e")
    assert answer.status == 500
    assert "cannot be read" in json.loads(answer.body)["error"]


def test_a_run_that_went_back_forgets_what_lay_ahead():
    trail = Trail()
    for step in (10, 20, 30, 20):
        trail.note("run", step, {"loss": float(step)})
    assert [row["step"] for row in trail.after("run", 10)] == [20]
    trail.keep([])
    assert trail.after("run", 0) == []


def test_long_curves_keep_their_ends():
    points = [(float(step), 0.0) for step in range(10_000)]
    found = thinned(points)
    assert len(found) == MOST_POINTS
    assert (found[0], found[-1]) == (points[0], points[-1])
