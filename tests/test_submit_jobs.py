"""One job for one experiment, and following it: ids, those who ask at the same moment, what answers, connections that break, the screen."""

import io
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cli_fixture import wait_for
from ledger_fixture import JsonStore
from rich.console import Console

from orchestrator.cli import following as screen_module
from orchestrator.cli.following import JobScreen, StoreLook
from orchestrator.cluster.connection import ClusterError
from orchestrator.cluster.submitting import following
from orchestrator.cluster.submitting.address import read_address
from orchestrator.cluster.submitting.client import AwayError, Jobs, JobState, RefusedError, TakenError
from orchestrator.cluster.submitting.errand import Errand
from orchestrator.cluster.submitting.following import LostError, follow
from orchestrator.cluster.submitting.identity import attempt_of, fingerprint, job_prefix, last_attempt
from orchestrator.cluster.submitting.placing import OtherJobError, place
from orchestrator.running.live import LiveFile
from orchestrator.store import open_store

# one job for one experiment


def test_ids_belong_to_an_experiment_on_a_root():
    prefix = job_prefix("tiny", "s3://b/a")
    assert prefix == job_prefix("tiny", "s3://b/a") != job_prefix("tiny", "s3://b/c")
    assert last_attempt([], prefix) == 0
    assert last_attempt([f"{prefix}2", f"{prefix}10", f"{prefix}x", "raysubmit_1", f"{job_prefix('tiny', 's3://b/c')}11"], prefix) == 10
    assert attempt_of("raysubmit_1", prefix) is None


def test_a_fingerprint_changes_with_all_that_changes_the_work():
    base = ({"a": 1}, "digest", ("B", "A"), "run x")
    assert fingerprint(*base) == fingerprint({"a": 1}, "digest", ("A", "B"), "run x")
    others = [({"a": 2}, *base[1:]), (base[0], "other", *base[2:]), (*base[:2], ("A",), base[3]), (*base[:3], "run y")]
    assert len({fingerprint(*other) for other in (base, *others)}) == 5


class FakeJobs:
    """Jobs as Ray keeps them: an id is taken once."""

    def __init__(self, before_submit=None):
        self.jobs, self.before_submit, self.lock = {}, before_submit or (lambda: None), threading.Lock()

    def all(self):
        return list(self.jobs.values())

    def submit(self, job, errand):
        self.before_submit()
        with self.lock:
            if job in self.jobs:
                raise TakenError(job)
            self.jobs[job] = JobState(job, "PENDING", errand.fingerprint)

    def end(self, job, state):
        self.jobs[job] = JobState(job, state, self.jobs[job].fingerprint)


def errand(tmp_path, mark="one", root="s3://b/r"):
    return Errand("tiny", root, "run", tmp_path, {}, mark)


@pytest.mark.parametrize("ended", ["SUCCEEDED", "FAILED", "STOPPED"])
def test_asking_again_finds_the_job_and_after_its_end_there_is_a_new_one(tmp_path, ended):
    jobs, asked = FakeJobs(), errand(tmp_path)
    first, is_new = place(jobs, asked)
    assert is_new
    assert first.endswith("-1")
    assert place(jobs, asked) == (first, False)
    assert place(jobs, errand(tmp_path, root="s3://b/other"))[1], "another root is another job"
    jobs.end(first, ended)
    second, is_new = place(jobs, asked)
    assert (second[-2:], is_new) == ("-2", True)


def test_other_settings_do_not_pass_for_the_same_experiment(tmp_path):
    jobs = FakeJobs()
    job, _ = place(jobs, errand(tmp_path))
    with pytest.raises(OtherJobError, match="but with other settings or files: g3dr stop tiny --root s3://b/r ends it, --attach follows"):
        place(jobs, errand(tmp_path, "two"))
    assert place(jobs, errand(tmp_path, "two"), attach=True) == (job, False)


def test_of_those_who_ask_at_the_same_moment_one_starts_the_job_and_all_get_it(tmp_path):
    together = threading.Barrier(4)
    jobs, got = FakeJobs(lambda: together.wait(5)), []
    threads = [threading.Thread(target=lambda: got.append(place(jobs, errand(tmp_path)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(jobs.jobs) == 1
    assert sorted(is_new for _, is_new in got) == [False, False, False, True]
    assert len({job for job, _ in got}) == 1


# what answers


@pytest.fixture
def answering():
    """Starts servers that answer every request alike; returns their addresses."""
    servers = []

    def start(status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return read_address(f"http://127.0.0.1:{servers[-1].server_port}", {})

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b"", RefusedError, "wants a token and got none"),
        (403, b"", RefusedError, "refuses the token"),
        (502, b"", AwayError, "502 Server Error"),
        (404, b"", ClusterError, "not as Ray's job API should"),
        (200, b"<html>hello</html>", ClusterError, "not as Ray's job API should"),
        (200, b'{"ray_version": "1.0"}', ClusterError, "Ray version 1.0 is running"),
    ],
)
def test_whoever_answers_is_told_in_one_sentence(answering, status, body, kind, words):
    with pytest.raises(ClusterError, match=words) as caught:
        Jobs(answering(status, body), "token")
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_an_address_that_is_given_wins_over_rays_variables(answering, monkeypatch):
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:9")
    assert not Jobs(answering(200, b'{"ray_version": "2.60.0"}'), None).demands_token()
    assert os.environ["RAY_API_SERVER_ADDRESS"] == "http://127.0.0.1:9"


def test_rays_many_words_become_one_line():
    message = "runtime_env setup failed: no\n  File x, line 3\n\nModuleNotFoundError: No module named 'orchestrator'\n"
    sentence = "runtime_env setup failed: no ... ModuleNotFoundError: No module named 'orchestrator'"
    assert JobState("j", "FAILED", message=message).sentence == sentence
    assert JobState("j", "FAILED").sentence == "Ray does not say why"


# following


class Script:
    """A job whose cluster answers as a script says: states, or AwayError; its log can be cut off while it is read."""

    def __init__(self, states, text, cuts=()):
        self.states, self.text, self.cuts, self.reads = list(states), text, list(cuts), 0

    def state(self, job):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "away":
            raise AwayError("nobody answers")
        return JobState(job, state, exit_code=0)

    def logs(self, job):
        return self.text

    def tail(self, job):
        self.reads += 1
        cut = self.cuts.pop(0) if self.cuts else len(self.text)
        for start in range(0, cut, 7):
            yield self.text[start : min(start + 7, cut)]
        if cut < len(self.text):
            raise AwayError("cut off")


@pytest.fixture
def quick(monkeypatch):
    for name in ("POLL_SECONDS", "_AGAIN_SECONDS", "LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(following, name, 0.01)


@pytest.mark.parametrize("cuts", [(), (5, 19, 19, 40)])
def test_every_line_comes_once_through_connections_that_break(quick, cuts):
    text = "".join(f"line {number}\n" for number in range(12)) + "no end"
    lines, said = [], []
    jobs = Script(["PENDING", *["RUNNING"] * 20, "SUCCEEDED"], text, cuts)
    assert follow(jobs, "job", lines.extend, said.append).state == "SUCCEEDED"
    assert lines == text.splitlines()
    assert said == []
    assert jobs.reads > len(cuts)


def test_an_absence_is_told_once_and_so_is_its_end(quick):
    said, lines = [], []
    follow(Script(["RUNNING", *["away"] * 5, "RUNNING", "SUCCEEDED"], "a\nb\n"), "job", lines.extend, said.append)
    assert lines == ["a", "b"]
    assert said == ["nobody answers; the job does not notice, asking again", "the cluster answers again"]


def test_nobody_waits_for_ever(quick, monkeypatch):
    monkeypatch.setattr(following.Patience.__init__, "__defaults__", (0.05,))
    with pytest.raises(LostError, match="the same command follows the job again"):
        follow(Script(["away"], ""), "job", lambda lines: None, lambda sentence: None)


def test_a_terminal_shows_the_table_from_the_store_and_above_it_what_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(screen_module, "_LOOK_SECONDS", 0.02)
    JsonStore(tmp_path).write_json("experiments/tiny/experiment.json", {"name": "tiny", "stages": [{"name": "pretrain", "kind": "train"}]})
    store = open_store(str(tmp_path))
    out = Console(file=io.StringIO(), width=100, height=30, force_terminal=True, color_system=None)
    look = StoreLook(store, "tiny")
    before = ["2026-01-01 00:00:00,000\tINFO job_manager.py:590 -- Runtime env is setting up.", "the plan", "  rate=1: finished"]
    during = [
        "  rate=2: finished",
        "  pretrain: 3 finished, 1 running of 8; best so far loss 1",
        "  rate=3: failed: no room",
        "pretrain: done in 3 s",
    ]
    with JobScreen(out, look) as screen:
        screen.show(before)
        with LiveFile(store, "tiny", every=0.02) as live:
            live.board.stage_started("pretrain", "train", 8, 0)
            live.board.run_progress("rate=7", 1, 4, {"loss": 0.5})
            wait_for(lambda: look.found is not None and "rate=7" in str(look.found.running))
            screen.show(during)
            screen._live.refresh()
    text = out.file.getvalue()
    for shown in ("the plan", "rate=1: finished", "rate=3: failed: no room", "pretrain: done in 3 s", "rate=7", "1/4"):
        assert shown in text
    for hidden in ("Runtime env is setting up", "rate=2: finished", "3 finished, 1 running of 8"):
        assert hidden not in text


def test_a_store_that_cannot_be_read_from_here_only_means_that_there_is_no_table(tmp_path):
    out = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with JobScreen(out, StoreLook(open_store("s3://nobody-made-this/x"), "tiny")) as screen:
        screen.show(["  rate=2: finished"])
    assert "rate=2: finished" in out.file.getvalue()
