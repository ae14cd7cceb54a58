"""What a job printed, kept in the store: whole, bounded, never in the way; and `g3dr logs EXPERIMENT`, which shows it."""

import io
import logging
import sys
import threading
import time

import pytest
from cli_fixture import g3dr, write_small
from tiny_study import write_study

from g3dr.errors import G3drError
from orchestrator.cli.main import main
from orchestrator.running.execution import Execution, RunFailedError
from orchestrator.running.live import LiveFile
from orchestrator.store import FolderStore, StoreError
from orchestrator.tracking.job_log import JobLog

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "root")


def say(*words, **how):
    print(*words, **how)  # noqa: T201  (what is printed is the matter here)


def logs(store, experiment="study"):
    return {path.rpartition("/")[2]: store.read_bytes(path).decode() for path in store.list(f"experiments/{experiment}/logs")}


def lines(store):
    (text,) = logs(store).values()
    return text.splitlines()[1:]  # behind the machine and the time


def test_what_is_printed_before_and_after_the_beginning_is_kept(store, capsys):
    before = sys.stdout
    with JobLog(store, "study") as log:
        say("the plan")
        log.begin()
        say("half a line", end="")
        say(", its end")
        say("a warning", file=sys.stderr)
        say("no end", end="")
    say("behind it")
    assert lines(store) == ["the plan", "half a line, its end", "a warning", "no end"]
    assert sys.stdout is before
    captured = capsys.readouterr()
    assert captured.out == "the plan\nhalf a line, its end\nno endbehind it\n"
    assert captured.err == "a warning\n"


def test_a_handler_that_has_its_stream_already_is_heard_and_gets_it_back(store, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with JobLog(store, "study") as log:
            log.begin()
            logging.getLogger("orchestrator").warning("waiting for the store")
        assert handler.stream is stream
    finally:
        logging.getLogger().removeHandler(handler)
    assert lines(store) == ["waiting for the store"]
    assert stream.getvalue() == "waiting for the store\n"


def test_nothing_is_kept_of_what_never_began_or_is_drawn_on_a_terminal(store, capsys):
    with JobLog(store, "study"):
        say("everything is in the ledger already")
    with JobLog(store, "study", is_wanted=False) as log:
        log.begin()
        say("a table")
    assert logs(store) == {}


@pytest.mark.parametrize(
    ("error", "words"),
    [(G3drError("no room"), "error: no room"), (KeyboardInterrupt(), "interrupted"), (ZeroDivisionError("why"), "ZeroDivisionError: why")],
)
def test_the_last_line_says_why_it_ended(store, capsys, error, words):
    def end():
        with JobLog(store, "study") as log:
            log.begin()
            raise error

    with pytest.raises(type(error)):
        end()
    assert lines(store)[-1] == words


def test_each_command_has_its_own_log_and_the_last_twenty_stay(store, capsys):
    for number in range(1, 26):
        with JobLog(store, "study") as log:
            log.begin()
            say(f"command {number}")
    found = logs(store)
    assert list(found) == [f"{number:04d}.log" for number in range(6, 26)]
    assert "command 25" in found["0025.log"]


def test_a_log_can_be_followed_while_it_grows(store, capsys, monkeypatch):
    monkeypatch.setattr("orchestrator.tracking.numbered_log.FLUSH_SECONDS", 0.0)
    with JobLog(store, "study") as log:
        log.begin()
        say("first")
        deadline = time.monotonic() + 5
        while "first" not in "".join(logs(store).values()):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_million_bytes_more_than_fit_are_left_out_of_the_middle(store, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with JobLog(store, "study") as log:
        log.begin()
        for number in range(30_000):
            say(f"{number:08d} " + "x" * 60)
    (text,) = logs(store).values()
    assert len(text) < 1.1 * 2**20
    assert "left out here" in text
    assert text.splitlines()[-1].startswith("00029999")


def test_a_store_that_is_away_fails_nothing(store, capsys, caplog, monkeypatch):
    def away(*_):
        raise StoreError("no answer")

    monkeypatch.setattr(FolderStore, "write_if_absent", away)
    with JobLog(store, "study") as log:
        log.begin()
        say("it goes on")
    assert "it goes on" in capsys.readouterr().out
    assert "no answer" in caplog.text


# the command line


@pytest.fixture
def run_tiny(tmp_path, monkeypatch):
    """Calls `g3dr run` of the tiny study with something in the place of the computing."""

    def call(compute, *words):
        monkeypatch.setattr(Execution, "run", compute)
        monkeypatch.setattr("sys.argv", ["g3dr", "run", str(write_study(tmp_path)), "--root", str(tmp_path / "root"), *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0

    return call


def test_a_job_keeps_plan_news_and_report(run_tiny, store, tmp_path, capsys):
    def compute(execution):
        execution.watch.stage_started("pretrain", "train", 1, 0)
        return "reports/tiny/index.html"

    assert run_tiny(compute, "--yes") == 0
    printed = capsys.readouterr().out
    (text,) = logs(store, "tiny").values()
    assert text.splitlines()[1:] == printed.splitlines()
    assert "pretrain (train): 1 run" in text
    assert "report: " in text


def test_a_job_whose_runs_failed_keeps_the_sentence(run_tiny, store, capsys):
    def compute(execution):
        execution.watch.stage_started("pretrain", "train", 1, 0)
        raise RunFailedError("2 failed, the first: no room")

    assert run_tiny(compute, "--yes") == 1
    (text,) = logs(store, "tiny").values()
    assert text.splitlines()[-2:] == ["error: 2 failed, the first: no room", "exit code 1"]


def test_a_job_that_was_refused_keeps_nothing(run_tiny, store, capsys):
    assert run_tiny(lambda execution: "", "--ask-above", "1 s") == 2
    assert logs(store, "tiny") == {}


def test_logs_of_an_experiment_are_those_of_its_commands(tmp_path):
    small = write_small(tmp_path)
    for number in (1, 2):
        small.write_bytes(f"experiments/small/logs/{number:04d}.log", f"command {number}\n".encode())
    text = g3dr("logs", "small", "--root", small.uri)
    assert text.startswith("command 2 experiment small: nobody computes it; logs of attempts 1, 2 next: g3dr status small")
    assert g3dr("logs", "small", "--attempt", "1", "--root", small.uri).startswith("command 1")


def test_an_experiment_without_a_log_says_why(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["g3dr", "logs", "small", "--root", write_small(tmp_path).uri])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "experiment small: has no log, it was computed on a terminal or from Python" in capsys.readouterr().err


def test_following_an_experiment_ends_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.cli.logs._FOLLOW_SECONDS", 0.02)
    small = write_small(tmp_path)
    small.write_bytes("experiments/small/logs/0001.log", b"first\n")
    with LiveFile(small, "small", every=0.01) as live:
        deadline = time.monotonic() + 5
        while not small.list("experiments/small/live") and time.monotonic() < deadline:
            time.sleep(0.01)

        def go_on():
            time.sleep(0.2)
            small.write_bytes("experiments/small/logs/0001.log", b"first\nsecond\n")
            live.board.experiment_ended("finished")

        threading.Thread(target=go_on).start()
        text = g3dr("logs", "small", "--follow", "--root", small.uri)
    assert text.startswith("== attempt 1 == first second experiment small: finished")
