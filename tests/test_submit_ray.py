"""`g3dr submit` against a live head that demands a token: one job, two who ask at the same moment, a secret that nobody finds."""

import base64
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from cli_fixture import g3dr
from plugins_ray import bearer
from tiny_study import summary, without_times, write_study

from orchestrator.cluster.connection import ClusterError
from orchestrator.cluster.submitting.sealing import VARIABLE
from orchestrator.ledger import Ledger
from orchestrator.store import open_store

pytestmark = [pytest.mark.ray, pytest.mark.jobs, pytest.mark.timeout(1200)]
SECONDS = 500
REPOSITORY = Path(__file__).parent.parent
CANARY = "AWS_SESSION_TOKEN"
PASSED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", CANARY)


def answer(url, headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/version"])
def test_who_comes_without_the_token_gets_401_and_with_another_403(ray_head, path):
    url = ray_head.dashboard + path
    assert answer(url, {})[0] == 401
    assert answer(url, {"Authorization": "Bearer guessed"})[0] == 403
    assert answer(url, bearer())[0] == 200


def test_a_wrong_token_is_one_sentence(ray_head):
    from orchestrator.cluster.submitting.address import read_address
    from orchestrator.cluster.submitting.client import Jobs, RefusedError

    with pytest.raises(RefusedError, match=r"refuses the token; is it another's\?$"):
        Jobs(read_address(ray_head.dashboard, {}), "guessed")


@dataclass
class Seen:
    """What others could see while the job ran.

    Attributes:
        commands: Command lines of all processes of the cluster.
        tokens: Hashes of the session tokens with which the store was asked, by method and first part of the path below the root.
    """

    commands: set[str] = field(default_factory=set)
    tokens: dict[tuple[str, str], set[str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(ray_environment):
    """Reads command lines again and again, and notes who asks the object store with which session token."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    found, over, original = Seen(), threading.Event(), DomainDispatcherApplication.__call__

    def noting(self, environ, start_response):
        token, parts = environ.get("HTTP_X_AMZ_SECURITY_TOKEN"), environ["PATH_INFO"].strip("/").split("/")
        if len(parts) > 2 and parts[1] == "submitted":
            mark = hashlib.sha256(token.encode()).hexdigest() if token else "none"
            found.tokens.setdefault((environ["REQUEST_METHOD"], parts[2]), set()).add(mark)
        return original(self, environ, start_response)

    def read():
        while not over.wait(0.3):
            for process in psutil.process_iter():
                try:
                    line = " ".join(process.cmdline())
                except psutil.Error:
                    continue
                if "runtime-env" in line or "ray::" in line or str(ray_environment) in line:
                    found.commands.add(line)

    thread = threading.Thread(target=read)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DomainDispatcherApplication, "__call__", noting)
        yield found
    over.set()
    thread.join()


@dataclass
class Job:
    """What came of the job.

    Attributes:
        root: Its root.
        secret: The session token that was passed on.
        detached: What the one said who was interrupted, with its exit code.
        followed: The same of the one who stayed.
        refused: What was said to who asked for other settings meanwhile.
    """

    root: str
    secret: str
    detached: tuple[int, str]
    followed: tuple[int, str]
    refused: str


@pytest.fixture(scope="module")
def job(ray_head, ray_environment, object_store_server, seen, tmp_path_factory):
    """Two `g3dr submit` of the tiny study at the same moment; one is interrupted when the job runs, the other stays to the end."""
    folder, root, secret = tmp_path_factory.mktemp("submitted"), f"{object_store_server.uri}/submitted", f"canary/{secrets.token_hex(16)}+="
    file = write_study(folder)
    environment = {**os.environ, **object_store_server.environment, CANARY: secret, "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30)}
    words = [
        "submit",
        str(file),
        "--working-dir",
        str(folder),
        "--address",
        ray_head.dashboard,
        "--root",
        root,
        *(f"--env={name}" for name in PASSED),
    ]
    command = [sys.executable, "-m", "orchestrator", *words]
    logs = [folder / f"{number}.log" for number in range(2)]
    shells = []
    for log in logs:
        with log.open("w") as output:  # standard input is no terminal, so nobody is asked
            shells.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT))
    try:
        wait_for(
            lambda: all("pretrain (train): 1 run" in log.read_text() for log in logs),
            shells,
            lambda: "\n".join(log.read_text()[-3000:] for log in (*logs, ray_environment / "head.log")),
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(ClusterError) as refused:
                g3dr(*words, "--set", "training.steps=9")
        shells[0].send_signal(signal.SIGINT)
        codes = [shell.wait(timeout=SECONDS) for shell in shells]
    finally:
        for shell in shells:
            shell.kill()
            shell.wait()
    texts = [log.read_text() for log in logs]
    return Job(root, secret, (codes[0], texts[0]), (codes[1], texts[1]), str(refused.value))


def wait_for(condition, shells, told):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        assert all(shell.poll() is None for shell in shells), told()
        time.sleep(0.1)


def test_two_who_ask_at_the_same_moment_share_one_job(job, ray_head):
    _, body = answer(f"{ray_head.dashboard}/api/jobs/", bearer())
    jobs = [entry for entry in json.loads(body) if (entry["submission_id"] or "").startswith("g3dr-tiny-")]
    assert [(entry["status"], entry["driver_exit_code"]) for entry in jobs] == [("SUCCEEDED", 0)]
    texts = [job.detached[1], job.followed[1]]
    assert all(f"job: {jobs[0]['submission_id']} on {ray_head.dashboard}" in text for text in texts)
    assert sorted("which runs already" in text for text in texts) == [False, True]


def test_ctrl_c_ends_the_following_and_not_the_job(job):
    code, text = job.detached
    assert code == 0, text
    assert "goes on\nnext: the same command follows it again; g3dr status tiny --root" in text
    assert "report:" not in text
    code, text = job.followed
    assert code == 0, text
    assert f"report: {job.root}/reports/tiny/index.html" in text


def test_every_line_came_once(job):
    for stage in ("pretrain (train)", "loss_sweep (sweep)", "species (grid)", "unseen (evaluate)"):
        assert job.followed[1].count(f"{stage}: ") == 1
    assert "INFO job_manager.py" not in job.followed[1]


def test_other_settings_are_not_taken_for_the_job_that_runs(job):
    assert "but with other settings or files" in job.refused


def test_object_storage_has_the_numbers_of_a_folder_and_of_a_job_that_nobody_disturbed(job, s3, plain_job):
    stored = Ledger(open_store(job.root))
    assert without_times(summary(stored)) == without_times(summary(plain_job.ledger()))


def test_the_secret_reaches_everybody_who_works_for_the_job(job, seen):
    mark = hashlib.sha256(job.secret.encode()).hexdigest()
    assert {("PUT", "runs"), ("PUT", "experiments"), ("PUT", "reports")} <= set(seen.tokens)
    # The tests themselves read the root without it, later.
    assert {kind: marks for kind, marks in seen.tokens.items() if kind[0] == "PUT" and mark not in marks} == {}
    assert "none" not in set().union(*(marks for kind, marks in seen.tokens.items() if kind[0] == "PUT"))


def spellings(secret):
    """A secret as it stands, for URLs, in JSON, and in base64 at each of the three places where it may begin."""
    raw = secret.encode()
    inner = [base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    quoted = {urllib.parse.quote(secret).encode(), urllib.parse.quote(secret, safe="").encode(), urllib.parse.quote_plus(secret).encode()}
    return {
        raw,
        json.dumps(secret)[1:-1].encode(),
        raw[::-1],
        *quoted,
        *inner,
        *(text.replace(b"+", b"-").replace(b"/", b"_") for text in inner),
    }


def holding(places, wanted):
    return sorted({name for name, data in places for word in wanted if word in data})


@pytest.fixture(scope="module")
def places(job, seen, ray_head, ray_environment, object_store_server):
    """Everything that others could read, by kind: names with what they hold."""
    client = object_store_server.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=object_store_server.bucket)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    asked = ("/api/jobs/", "/api/v0/actors?limit=1000&detail=1", "/nodes?view=details")
    return {
        "bucket": [(key, client.get_object(Bucket=object_store_server.bucket, Key=key)["Body"].read()) for key in keys],
        "files": [(str(path), path.read_bytes()) for path in ray_environment.rglob("*") if path.is_file() and not path.is_symlink()],
        "answers": [(path, answer(ray_head.dashboard + path, bearer())[1]) for path in asked],
        "outputs": [("detached", job.detached[1].encode()), ("followed", job.followed[1].encode())],
        "command lines": [(line[:80], line.encode()) for line in seen.commands],
    }


@pytest.mark.parametrize("name", ["canary", "token"])
def test_secrets_are_found_nowhere(places, job, name):
    wanted = spellings(job.secret if name == "canary" else os.environ["RAY_AUTH_TOKEN"])
    least = {"bucket": 30, "files": 20, "answers": 3, "outputs": 2, "command lines": 10}
    assert {kind: len(found) for kind, found in places.items() if len(found) < least[kind]} == {}
    assert {kind: holding(found, wanted) for kind, found in places.items()} == {kind: [] for kind in places}


def test_what_was_searched_is_where_ray_writes_variables(places):
    """Ray does write `env_vars` into logs, command lines and lists of jobs: the sealed form stands there."""
    found = {kind: holding(entries, [VARIABLE.encode()]) for kind, entries in places.items()}
    assert any("runtime_env" in name for name in found["files"])
    assert found["command lines"]
    assert found["answers"]


@pytest.fixture
def here(s3, monkeypatch):
    """The environment of a user: keys of the store that stand in no file of this repository."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secrets.token_urlsafe(30))
    return s3


def test_what_only_the_cluster_can_find_out_ends_with_2_here_too(ray_head, here):
    """The checkout itself travels, and the job runs what is in it."""
    said = g3dr(
        *("submit", REPOSITORY / "experiments/quickstart.yaml", "--address", ray_head.dashboard, "--root", f"{here.uri}/wrong"),
        *("--set", f"data.animals={{dataset: {here.uri}/nowhere}}"),
        code=2,
    )
    assert "package:" in said
    assert f"{here.uri}/nowhere" in said.partition("error:")[2]
    assert "ended with exit code 2" in said


def test_a_run_that_fails_ends_with_1_here_too(ray_head, here, tmp_path):
    file = write_study(tmp_path)
    fails = ["training.learning_rate=1e30", "~stages.loss_sweep", "~stages.species", "~stages.unseen"]
    said = g3dr(
        *("submit", file, "--working-dir", tmp_path, "--address", ray_head.dashboard, "--root", f"{here.uri}/fails"),
        *(word for setting in fails for word in ("--set", setting)),
        code=1,
    )
    assert "pretrain: failed: " in said
    assert "ended with exit code 1" in said
