"""The verbs that look at and steer what others compute: they need the store alone, no Ray, and little time."""

import io
import json
import subprocess
import sys
import threading
import time

import pytest
from cli_fixture import g3dr, wait_for, write_small
from ledger_fixture import JsonStore, write_ledger
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.cli import status as status_module
from orchestrator.cli.main import app, main
from orchestrator.finding import UnknownNameError, find_run, find_runs
from orchestrator.ledger import LeaseKeeper, Leases, Ledger, RunStatus
from orchestrator.ledger import damage as ledger_damage
from orchestrator.running.live import LiveFile
from orchestrator.running.overview import overview
from orchestrator.running.watching import Goal
from orchestrator.store import open_store

pytestmark = pytest.mark.unit
FAILED = "tcosinesmooth_l1"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A ledger of a study that is over, with one failed run; only for tests that change nothing."""
    folder = tmp_path_factory.mktemp("study")
    write_ledger(JsonStore(folder))
    return open_store(str(folder))


@pytest.fixture
def small(tmp_path):
    return write_small(tmp_path)


# names


@pytest.mark.parametrize("name", ["aabb", "aabb000000000000", "small/losses/rate=1"])
def test_a_run_has_several_names(small, name):
    assert find_run(small, name).run == "aabb000000000000"


@pytest.fixture
def refused(small, monkeypatch, capsys):
    """Asks for the logs of a run and returns the one sentence that a person reads instead."""

    def ask(name):
        monkeypatch.setattr("sys.argv", ["g3dr", "logs", name, "--root", small.uri])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        assert (ended.value.code, shown.out) == (2, "")
        (line,) = shown.err.splitlines()
        return line

    return ask


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("aa0", "error: aa0: no run; allowed: at least four digits of a run's id, or EXPERIMENT/STAGE/LABEL as g3dr status shows"),
        ("aaba", "error: aaba: no run of this id; allowed: aaaa000000000000, aabb000000000000, cccc000000000000 (in ROOT)"),
        ("smal/losses/rate=1", 'error: smal: no experiment of this name in ROOT; did you mean "small"?'),
        ("small/loses/rate=1", 'error: small/loses: no stage that has begun; did you mean "losses"?'),
        ("small/losses/rate=4", 'error: small/losses/rate=4: no run of this label; did you mean "rate=2"?'),
        ("small/losses", "error: small/losses: 3 runs; allowed: rate=0, rate=1, rate=2"),
    ],
)
def test_a_wrong_name_is_answered_with_a_right_one(small, refused, name, sentence):
    assert refused(name) == sentence.replace("ROOT", small.uri)


def test_a_beginning_that_several_runs_share_names_them(small, refused):
    Ledger(small).set_status("aabb111111111111", RunStatus("finished"))
    assert refused("aabb") == f"error: aabb: fits 2 runs; allowed: one of aabb000000000000, aabb111111111111 (in {small.uri})"


def test_a_stage_means_all_its_runs(small):
    assert len(find_runs(small, "small", "losses")) == 3
    assert [named.run[:4] for named in find_runs(small, "small", "losses/rate=2")] == ["cccc"]


def test_runs_that_are_computed_now_have_names_before_their_stage_is_recorded(small):
    with LiveFile(small, "small", every=0.02) as live:
        live.board.stage_started("species", "grid", 4, 0)
        live.board.run_started("fish_01", "dddd000000000000", 10)
        wait_for(lambda: "dddd" in str(small.list("experiments")) or find(small, "small/species/fish_01"))


def find(store, name):
    try:
        return find_run(store, name).run == "dddd000000000000"
    except UnknownNameError:
        return False


# status


def test_status_shows_stages_best_and_errors(study):
    text = g3dr("status", "study", "--root", study.uri)
    assert "loss_sweep sweep 7 finished, 1 failed" in text
    assert "novel_depth_rmse 0.171 (rgb l2, depth l1)" in text
    assert f"failed: loss_sweep/rgb cosine, depth smooth_l1 ({FAILED}): the loss became infinite at step 51" in text
    assert f"next: g3dr logs {FAILED}" in text


def test_status_of_all_experiments(study):
    text = g3dr("status", "--root", study.uri)
    assert "study 4 of 4 18 finished, 1 failed, 19 in all" in text


def test_status_for_programs(study):
    found = json.loads(CliRunner().invoke(app, ["status", "study", "--json", "--root", study.uri]).output)
    assert {stage["name"]: stage["runs"] for stage in found["stages"]}["species"] == {"finished": 9}
    assert [run["run"] for run in found["runs"]] == [FAILED]
    assert json.loads(CliRunner().invoke(app, ["status", "--json", "--root", study.uri]).output)[0]["experiment"] == "study"


def test_status_of_nothing_says_what_to_do(tmp_path):
    assert "no experiments in" in g3dr("status", "--root", tmp_path)


def test_a_run_that_nobody_holds_is_interrupted_and_one_that_is_held_runs(small):
    assert {run.run[:4]: run.state for run in overview(small, "small").runs} == {"aabb": "failed", "cccc": "interrupted"}
    with LeaseKeeper(Leases(small)) as keeper:
        assert keeper.acquire("cccc000000000000")
        (found,) = (run for run in overview(small, "small").runs if run.state == "running")
        assert found.holder is not None
        text = g3dr("status", "small", "--root", small.uri)
        assert f"process {found.holder.pid}" in text


def test_status_shows_damage(small):
    ledger_damage.note(small, "aaaa000000000000", "runs/aaaa000000000000/checkpoints/00000010", "model.safetensors is cut off")
    assert "damaged and skipped: run aaaa000000000000: model.safetensors is cut off" in g3dr("status", "small", "--root", small.uri)


def running(live):
    live.board.stage_started("losses", "sweep", 9, 1)
    live.board.stage_goal(Goal("novel_psnr", "max"))
    live.board.run_started("rate=7", "dddd000000000000", 1000)
    live.board.run_progress("rate=7", 250, 1000, {"loss": 0.5, "novel_psnr": 20.5})


def test_status_shows_what_another_process_computes(small):
    with LiveFile(small, "small", every=0.02) as live:
        running(live)
        wait_for(lambda: overview(small, "small").running and overview(small, "small").running[0].snapshot.running)
        text = g3dr("status", "small", "--root", small.uri)
    assert "losses sweep 1 finished, 1 running, 7 waiting" in text
    assert "missing" not in text
    assert "rate=7 250/1,000" in text
    assert "best so far: novel_psnr 20.5 rate=7" in text
    assert "runs for" in text
    assert "last heard" in text
    assert "finished after" in g3dr("status", "small", "--root", small.uri)


def test_an_orchestrator_that_died_is_not_taken_for_a_living_one(small, monkeypatch):
    with LiveFile(small, "small", every=0.02) as live:
        running(live)
    path = small.list("experiments/small/live")[0]
    record = json.loads(small.read_bytes(path))
    small.write_bytes(path, json.dumps({**record, "state": "running", "written": time.time() - 400}).encode())
    text = g3dr("status", "small", "--root", small.uri)
    assert "not heard for 7 min" in text
    assert "run the experiment again to go on" in text


@pytest.mark.parametrize("is_terminal", [True, False])
def test_following_ends_when_nobody_computes_any_more(small, monkeypatch, is_terminal):
    monkeypatch.setattr(status_module, "_FOLLOW_SECONDS", 0.02)
    monkeypatch.setattr(status_module, "_PLAIN_SECONDS", 0.02)
    console = Console(file=io.StringIO(), width=120, force_terminal=is_terminal, color_system=None)
    monkeypatch.setattr(status_module, "console", lambda: console)
    over = threading.Event()

    def compute():
        with LiveFile(small, "small", every=0.02) as live:
            running(live)
            over.wait(5)

    worker = threading.Thread(target=compute)
    worker.start()
    wait_for(lambda: overview(small, "small").running)
    threading.Timer(0.3, over.set).start()
    status_module.status("small", small.uri, follow=True)
    worker.join(5)
    text = console.file.getvalue()
    assert "rate=7" in text
    assert "finished after" in text


# what they bring


@pytest.mark.parametrize("verb", ["status", "logs", "stop", "retry", "prune"])
def test_a_look_imports_nothing_heavy(verb):
    heavy = ("ray", "torch", "numpy", "pandas", "boto3", "pyarrow", "optuna", "matplotlib")
    code = f"import sys, orchestrator.cli.main, orchestrator.cli.{verb}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
